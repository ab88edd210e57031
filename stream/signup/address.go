package signup

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"proofstream/stream/hostname"
)

// maxLink is the longest path or URL, in bytes, after it has been encoded.
const maxLink = 2048

// notALink is the rule that neither a path nor an https URL follows.
const notALink = "must be an https:// URL, or a path that begins with one /"

// checkLink returns the link, without white space at its ends and percent-encoded where it is not printable ASCII, or which rule it breaks. A
// link is a path of the page that shows the card, or an https URL. Of the valid ones it admits only those that browsers and servers read in the
// same way, whatever the address of the page, and that lead to the host that they show. A text without a visible character becomes empty.
func checkLink(posted string) (link, broken string) {
	link, broken = checkCharacters(posted)
	if link == "" || broken != "" {
		return "", broken
	}
	if hasScheme(link, "https") {
		broken = checkAuthority(authority(link[len("https://"):]))
	} else {
		broken = checkPath(link)
	}
	link = encode(link)
	if broken == "" && len(link) > maxLink {
		broken = fmt.Sprintf("must be at most %d bytes: shorten it, it has %d", maxLink, len(link))
	}
	return link, broken
}

// checkCharacters returns a link without white space at its ends, or says which of its characters no link has. A text without a visible
// character becomes empty.
func checkCharacters(posted string) (link, broken string) {
	if text, broken := checkText(posted); text == "" && broken == "" {
		return "", ""
	}
	link = strings.TrimFunc(posted, func(r rune) bool { return unicode.IsSpace(r) && !unicode.IsControl(r) })
	for i, r := range link {
		switch {
		case r == utf8.RuneError && refusedBytes(link[i:]) != "":
			return "", refusedBytes(link[i:])
		case unicode.IsControl(r):
			return "", fmt.Sprintf("must not contain control characters: remove %U", r)
		case strings.ContainsRune(`"<>\`, r):
			return "", fmt.Sprintf("must not contain %c: write %%%02X", r, r)
		}
	}
	return link, ""
}

// hasScheme reports whether a link begins with a scheme, in any case, and two slashes.
func hasScheme(link, scheme string) bool {
	n := len(scheme) + len("://")
	return len(link) >= n && strings.EqualFold(link[:n], scheme+"://")
}

// authority returns what stands before the path, query and fragment in the rest of a URL after its two slashes.
func authority(rest string) string {
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		return rest[:end]
	}
	return rest
}

// encode percent-encodes what is not printable ASCII, and spaces. It keeps an existing %.
func encode(link string) string {
	other := func(r rune) bool { return r <= ' ' || r > '~' }
	if !strings.ContainsFunc(link, other) {
		return link
	}
	var b strings.Builder
	for _, c := range []byte(link) {
		if other(rune(c)) {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// checkPath says what is wrong with a path. A browser takes what follows a second slash for a host. So does a server that decodes before it
// redirects, when the slash is encoded or stands behind an encoded control character, and one that normalizes, when the slash is a wide one.
func checkPath(path string) (broken string) {
	if !strings.HasPrefix(path, "/") {
		return notALink
	}
	second := path[1:]
	if decoded, err := url.PathUnescape(second[:min(len(second), 3)]); err == nil && decoded != "" {
		second = decoded
	}
	r, size := utf8.DecodeRuneInString(second)
	if size > 0 && (strings.ContainsRune(`/\／＼⁄∕`, r) || r < ' ') {
		return "must begin with one / and then a name: write https:// before a host"
	}
	return ""
}

// checkAuthority says what is wrong with the host and port of an https URL.
func checkAuthority(authority string) (broken string) {
	if strings.Contains(authority, "@") {
		return "must not contain user info: remove what stands before the @"
	}
	host, port := authority, ""
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host, port = authority[:colon], authority[colon+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "must have a port from 1 to 65535, or none and no colon"
		}
	}
	if !validHost(host) {
		return "must have the name or address of a host after https://, in letters, digits, dots and hyphens (xn-- for other letters)"
	}
	return ""
}

// validHost reports whether a link may lead to a host. Unlike hostname.Parse it admits a final dot after a name.
func validHost(host string) bool {
	name := strings.TrimSuffix(host, ".")
	parsed, err := hostname.Parse(name)
	return err == nil && (name == host || !hostname.IsAddress(parsed))
}
