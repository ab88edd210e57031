package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// write prints the table to stdout, then writes the report and the picture to the files that o names. With -json - it writes only
// JSON to stdout. A file that cannot be written does not keep the rest from being written.
func (r *Report) write(o *options, stdout io.Writer) error {
	shown := r.writeTable
	if o.json == stdoutName {
		shown = r.writeJSON
	}
	return errors.Join(
		shown(stdout),
		writeFile("report", o.json, r.writeJSON),
		writeFile("picture", o.svg, r.writePicture),
	)
}

// stdoutName is standard output as the value of -json.
const stdoutName = "-"

// writeFile replaces a file with what write writes. It does nothing for an empty name and for stdoutName.
func writeFile(what, name string, write func(io.Writer) error) error {
	if name == "" || name == stdoutName {
		return nil
	}
	f, err := os.Create(name)
	if err == nil {
		err = errors.Join(write(f), f.Close())
	}
	if err != nil {
		return fmt.Errorf("write the %s: %w", what, err)
	}
	return nil
}

// checkWritable returns an error if a file cannot be written, before a run of minutes instead of after it. It leaves a file as it is.
func checkWritable(flag, name string) error {
	if name == "" || name == stdoutName {
		return nil
	}
	before, missing := os.Stat(name)
	if missing == nil && !before.Mode().IsRegular() && !before.IsDir() {
		return nil // a pipe or a device, whose reader would take this for the end
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("-%s: %w; name a file in an existing folder that you may write to", flag, err)
	}
	f.Close()
	if missing != nil {
		return os.Remove(name)
	}
	return nil
}
