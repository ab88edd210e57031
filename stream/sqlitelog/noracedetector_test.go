//go:build !race

package sqlitelog

const raceCost = 1
