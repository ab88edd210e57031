package signup

import "strings"

// maxKind is the length of the longest kind, in bytes.
const maxKind = 32

// checkKind returns the kind as posted, or which rule it breaks. A kind without a visible character becomes empty.
func checkKind(posted string) (kind, broken string) {
	if text, strange := checkText(posted); text == "" && strange == "" {
		return "", ""
	}
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-"
	if len(posted) > maxKind || strings.Trim(posted, allowed) != "" {
		return "", `must be 1 to 32 of a-z, 0-9 and -, such as "order": rename it`
	}
	return posted, ""
}
