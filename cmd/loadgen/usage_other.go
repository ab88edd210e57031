//go:build !linux

package main

import "errors"

func cpuTime(int) (total, user float64, err error) {
	return 0, 0, errors.New("processes are measured on Linux only")
}
