// Package assets holds what a browser loads: the widget, and the demo page that shows it.
package assets

import "embed"

// Files holds the sources of all files that are served, unminified: the widget's modules and style sheet, and the demo page.
//
//go:embed widget demo
var Files embed.FS
