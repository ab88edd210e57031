package signup

import (
	"html"
	"slices"
	"strings"
)

// NoteKind says what looks wrong in an accepted signup. It is a word for log lines.
type NoteKind string

const (
	// PictureReplaced means that "default" has replaced the img_path.
	PictureReplaced NoteKind = "picture_replaced"
	// HTMLEscaped means that a text has character references, which pages show as they are.
	HTMLEscaped NoteKind = "html_escaped"
	// Placeholder means that a text is what a program writes for a value that is missing.
	Placeholder NoteKind = "placeholder"
)

// Note is something that looks wrong in an accepted signup.
type Note struct {
	Kind  NoteKind
	Field string
}

// noteTexts are the rest of a sentence that begins with the field's name.
var noteTexts = map[NoteKind]string{
	PictureReplaced: `is replaced by "default": send an https:// URL, or a path that begins with one /`,
	HTMLEscaped:     "looks HTML-escaped and is shown as it is: decode it before you post it",
	Placeholder:     "looks like a missing value of a program: leave the field out when there is none",
}

// String returns the note as a sentence without any posted text.
func (n Note) String() string { return n.Field + " " + n.Advice() }

// Advice returns the rest of the sentence that begins with the field's name.
func (n Note) Advice() string { return noteTexts[n.Kind] }

// Notes returns what looks wrong in fields that New has accepted, in the order of the fields.
func (f Fields) Notes() (notes []Note) {
	for _, name := range fieldNames {
		text := strings.TrimSpace(f[name])
		switch {
		case name == "img_path" && imageReplaced(f[name]):
			notes = append(notes, Note{PictureReplaced, name})
		case name == "img_path" || name == "url":
		case slices.Contains(placeholders, text):
			notes = append(notes, Note{Placeholder, name})
		case isEscaped(text):
			notes = append(notes, Note{HTMLEscaped, name})
		}
	}
	return notes
}

// placeholders are what JavaScript, Java, Python and Ruby write into a text for a value that is missing. None of them is written so as a name.
var placeholders = []string{"undefined", "null", "NaN", "[object Object]", "undefined undefined", "null null"}

// isEscaped reports whether a text has a character reference with its semicolon, by name or number (HTML section 13.5).
func isEscaped(text string) bool {
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "&")
		if !found {
			return false
		}
		if reference, _, closed := strings.Cut(after, ";"); closed && !strings.ContainsAny(reference, " &") {
			whole := "&" + reference + ";"
			if decoded := html.UnescapeString(whole); decoded != whole && !strings.ContainsAny(decoded, ";\uFFFD") {
				return true
			}
		}
		rest = after
	}
}
