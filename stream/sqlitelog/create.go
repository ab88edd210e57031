package sqlitelog

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
)

// create makes the database of a new log. The file gets its name when it is complete, so that a crash leaves nothing that looks like damage.
func (l *Log) create() error {
	fresh := l.path + newSuffix
	err := removeDatabase(fresh)
	if err == nil {
		err = createDatabase(fresh, rand.Text())
	}
	if err == nil {
		err = syncFile(fresh)
	}
	if err == nil {
		err = os.Rename(fresh, l.path)
	}
	if err != nil {
		return explain(err, l.path)
	}
	return l.syncDir(l.opts.Dir)
}

// createDatabase makes a new database file.
func createDatabase(path, instance string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return explain(err, path)
	}
	if err := errors.Join(shareWithGroup(f), f.Close()); err != nil {
		return explain(err, path)
	}
	c, err := openConn(path, writing)
	if err != nil {
		return err
	}
	err = errors.Join(createSchema(c, metaRow{instance: instance}), c.close())
	if err != nil {
		return fmt.Errorf("create %s: %w", path, describe(err))
	}
	return nil
}

// createSchema fills an empty database. It turns the write-ahead log on last: on close, SQLite does not report that it could not move the
// content of that to the database file.
func createSchema(c *conn, m metaRow) error {
	statements := append([]string{
		"PRAGMA journal_mode = OFF", // after a crash the file is made again
		"BEGIN IMMEDIATE",
		fmt.Sprintf("PRAGMA application_id = %d", applicationID),
		fmt.Sprintf("PRAGMA user_version = %d", schemaVersion),
	}, schema...)
	for _, sql := range statements {
		if err := c.exec(sql); err != nil {
			return err
		}
	}
	if err := c.exec("INSERT INTO meta VALUES (1, ?, ?, ?)", m.instance, m.open, m.sum()); err != nil {
		return err
	}
	return errors.Join(c.exec("COMMIT"), c.exec("PRAGMA journal_mode = WAL"))
}
