//go:build !unix

package sqlitelog

import "os"

// tryLock does nothing and returns true: the standard library has no advisory locks for this system. A second process can run the log.
func tryLock(*os.File) (bool, error) { return true, nil }

// ownership returns nothing on this system.
func ownership(string) string { return "" }

// unsupportedSync returns true: this system syncs the names in a directory itself.
func unsupportedSync(error) bool { return true }
