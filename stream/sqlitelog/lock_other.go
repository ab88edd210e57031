//go:build !unix

package sqlitelog

import "os"

// tryLock does nothing: the standard library has no advisory locks for this system, so that nothing keeps a
// second process out.
func tryLock(*os.File) (bool, error) { return true, nil }

func ownership(string) string { return "" }

// unsupportedSync is true: this system puts the names in a directory on disk by itself.
func unsupportedSync(error) bool { return true }
