// Package assets holds what a browser loads: the widget, and the demo page that shows it.
package assets

import "embed"

// Files holds each file of this directory that is served, unminified, under its own name.
//
//go:embed *.js *.css *.svg *.html
var Files embed.FS
