package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// svg is a picture in the making. Coordinates are pixels from the top left. Classes are those of svgStyle.
type svg struct{ body bytes.Buffer }

// svgWidth is the width of every picture. A page may scale it.
const svgWidth = 960

// svgColors is how many colors svgStyle has for series.
const svgColors = 8

// svgStyle has the colors for a light and for a dark page. Series also differ in their dashes, for readers who do not see the colors.
const svgStyle = `
svg { --paper: #fff; --ink: #1b1f24; --pale: #57606a; --grid: #d8dee4;
  --c0: #0061ad; --c1: #b93a00; --c2: #04754f; --c3: #9c1fb0; --c4: #8a5a00; --c5: #0b7285; --c6: #c2185b; --c7: #4b5563; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #0d1117; --ink: #e6edf3; --pale: #9da7b3; --grid: #30363d;
    --c0: #5cb3ff; --c1: #ff9a66; --c2: #4bd6a0; --c3: #e59bff; --c4: #f0c04a; --c5: #56d4e8; --c6: #ff86b0; --c7: #c4ccd6; }
}
text { font: 13px system-ui, sans-serif; fill: var(--ink); }
.title { font-size: 18px; font-weight: 600; }
.head { font-weight: 600; }
.pale { fill: var(--pale); }
.end { text-anchor: end; }
.middle { text-anchor: middle; }
.paper { fill: var(--paper); }
.grid { stroke: var(--grid); }
.axis { stroke: var(--pale); }
.series { fill: none; stroke-width: 2; stroke-linejoin: round; }
.c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); stroke-dasharray: 8 3; } .c2 { stroke: var(--c2); stroke-dasharray: 2 3; }
.c3 { stroke: var(--c3); stroke-dasharray: 10 3 2 3; } .c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); stroke-dasharray: 5 3; }
.c6 { stroke: var(--c6); stroke-dasharray: 1 2; } .c7 { stroke: var(--c7); stroke-dasharray: 10 3 2 3 2 3; }
.f0 { fill: var(--c0); } .f1 { fill: var(--c1); } .f2 { fill: var(--c2); } .f3 { fill: var(--c3); }
.f4 { fill: var(--c4); } .f5 { fill: var(--c5); } .f6 { fill: var(--c6); } .f7 { fill: var(--c7); }
`

// text writes a line of text from x, or as the class aligns it.
func (s *svg) text(x, y float64, class, text string) {
	fmt.Fprintf(&s.body, `<text x="%.1f" y="%.1f" class="%s">%s</text>`+"\n", x, y, class, escape(text))
}

// upward writes text around x and y that reads from bottom to top.
func (s *svg) upward(x, y float64, class, text string) {
	fmt.Fprintf(&s.body, `<text transform="translate(%.1f %.1f) rotate(-90)" class="%s">%s</text>`+"\n", x, y, class, escape(text))
}

func (s *svg) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(&s.body, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`+"\n", x1, y1, x2, y2, class)
}

func (s *svg) rect(x, y, width, height float64, class string) {
	fmt.Fprintf(&s.body, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" class="%s"/>`+"\n", x, y, width, height, class)
}

func (s *svg) dot(x, y float64, class string) {
	fmt.Fprintf(&s.body, `<circle cx="%.1f" cy="%.1f" r="3.5" class="%s"/>`+"\n", x, y, class)
}

// path draws lines through points.
func (s *svg) path(points [][2]float64, class string) {
	var list strings.Builder
	for _, p := range points {
		fmt.Fprintf(&list, "%.1f,%.1f ", p[0], p[1])
	}
	fmt.Fprintf(&s.body, `<polyline points="%s" class="%s"/>`+"\n", strings.TrimSpace(list.String()), class)
}

// writeTo writes the picture as one document that refers to no other. The title and the description are for screen readers.
func (s *svg) writeTo(w io.Writer, height float64, title, description string) error {
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" height="%.0f" role="img" aria-labelledby="title description">
<title id="title">%s</title>
<desc id="description">%s</desc>
<style>%s</style>
<rect width="100%%" height="100%%" class="paper"/>
%s</svg>
`, svgWidth, height, svgWidth, height, escape(title), escape(description), svgStyle, s.body.String())
	return err
}

// escape returns text for XML, with U+FFFD for characters that XML cannot have.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder returns no error
	return b.String()
}

// clip returns at most n characters of text, the last of them an ellipsis if some are left out.
func clip(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}
