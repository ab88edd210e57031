//go:build !unix

package sqlitelog

// foreignFile returns nothing on this system.
func foreignFile(error) string { return "" }
