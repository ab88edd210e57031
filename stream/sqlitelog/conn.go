package sqlitelog

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// conn is one connection to a database, which prepares each statement once. It is for one goroutine at a time. It uses the driver without
// database/sql, which costs as much for each statement as SQLite itself.
type conn struct {
	driver  driver.Conn
	prepare driver.ConnPrepareContext
	stmts   map[string]driver.Stmt // by their text
	args    []driver.NamedValue
}

// The modes of a connection.
const (
	// writing may change the database.
	writing = "rw"
	// reading changes no file, not even when it is closed.
	reading = "ro"
)

// connPragmas are the settings of every connection. With secure_delete, SQLite overwrites the bytes of a deleted row with zeros. Temporary
// files would leave copies of rows in other directories.
var connPragmas = []string{
	"PRAGMA busy_timeout = 5000",
	"PRAGMA synchronous = FULL",
	"PRAGMA secure_delete = ON",
	"PRAGMA temp_store = MEMORY",
	"PRAGMA cache_size = -8000",
}

// limit is LIMIT with a parameter. SQLite prepares a statement again when a parameter changes on whose value its plan depends, as one directly after
// LIMIT (sqlite3ExprIsInteger, expr.c): that costs a third of reading a few rows, see BenchmarkLimit.
const limit = "LIMIT 0 + ?"

// openConn opens a database that exists.
func openConn(path, mode string) (*conn, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	d, err := new(sqlite.Driver).Open(address(path, mode))
	if err != nil {
		return nil, err
	}
	c := &conn{driver: d, prepare: d.(driver.ConnPrepareContext), stmts: map[string]driver.Stmt{}}
	for _, pragma := range connPragmas {
		if err := c.exec(pragma); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	return c, nil
}

// address returns the URI of a database with an absolute path. A path that begins with a drive, as on Windows, gets a slash before it
// (sqlite.org/uri.html, section 3.1).
func address(path, mode string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: "mode=" + mode}
	return u.String()
}

func (c *conn) stmt(text string) (driver.Stmt, error) {
	if s, ok := c.stmts[text]; ok {
		return s, nil
	}
	s, err := c.prepare.PrepareContext(context.Background(), text)
	if err == nil {
		c.stmts[text] = s
	}
	return s, err
}

// exec runs a statement without a result.
func (c *conn) exec(text string, args ...driver.Value) error {
	return c.execContext(context.Background(), text, args...) // a context that can end costs a goroutine
}

func (c *conn) execContext(ctx context.Context, text string, args ...driver.Value) error {
	s, err := c.stmt(text)
	if err != nil {
		return err
	}
	_, err = s.(driver.StmtExecContext).ExecContext(ctx, c.bind(args))
	return err
}

// query calls each with every row of the result. The slice is valid during the call only.
func (c *conn) query(text string, each func(row []driver.Value) error, args ...driver.Value) error {
	s, err := c.stmt(text)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), c.bind(args))
	if err != nil {
		return err
	}
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case err == io.EOF:
			return rows.Close()
		case err != nil:
			return errors.Join(err, rows.Close())
		}
		if err := each(row); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
}

// value returns the only integer of a result, 0 when it has no row.
func (c *conn) value(text string, args ...driver.Value) (n int64, err error) {
	err = c.query(text, func(row []driver.Value) error { return scan(row, &n) }, args...)
	return n, err
}

func (c *conn) bind(args []driver.Value) []driver.NamedValue {
	c.args = c.args[:0]
	for i, v := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.driver.Close())...)
}

// scan copies the columns of a row. A column of another type is damage, because the tables are STRICT. A null leaves its target as it is.
func scan(row []driver.Value, into ...any) error {
	for i, to := range into {
		ok := false
		switch to := to.(type) {
		case *int64:
			*to, ok = row[i].(int64)
		case *uint64:
			var n int64
			n, ok = row[i].(int64)
			*to = uint64(n)
		case *string:
			*to, ok = row[i].(string)
		case *[]byte:
			*to, ok = row[i].([]byte)
		}
		if !ok && row[i] != nil {
			return fmt.Errorf("%w: column %d holds a %T", errCorrupt, i, row[i])
		}
	}
	return nil
}

// errCorrupt is damage that SQLite itself has not noticed.
var errCorrupt = errors.New("the database is damaged")

// corrupt reports whether an error means that the database is damaged.
func corrupt(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code() == sqlite3.SQLITE_IOERR_SHORT_READ {
		return true // the file was cut
	}
	return errors.Is(err, errCorrupt)
}

// code returns SQLite's primary result code of an error, 0 when the error is not SQLite's.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}
