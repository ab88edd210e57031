//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
)

func serveFloor(context.Context, string, io.Writer) error {
	return errors.New("-floor needs Linux (epoll); run it there")
}
