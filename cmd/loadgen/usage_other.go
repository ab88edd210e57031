//go:build !linux

package main

import "errors"

func processUsage(int) (usage, error) {
	return usage{}, errors.New("loadgen measures processes on Linux only")
}
