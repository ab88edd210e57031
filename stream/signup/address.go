package signup

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"proofstream/stream/hostname"
)

// maxLink is the longest path or URL, in bytes.
const maxLink = 2048

// checkImage is checkLink with the word "default" allowed.
func checkImage(posted string) (value, broken string) {
	if posted == "default" {
		return posted, ""
	}
	value, broken = checkLink(posted)
	if broken == notALink {
		broken = `must be "default", an https:// URL, or a path that begins with one /`
	}
	return value, broken
}

// notALink is the rule that neither a path nor an https URL follows.
const notALink = "must be an https:// URL, or a path that begins with one /"

// checkLink returns the link byte for byte as posted, or which rule it breaks. A link is a path of the page that shows the card, or an https
// URL. Of the valid ones it admits only those that browsers and servers read in the same way, whatever the address of the page, and that lead
// to the host that they show. White space alone becomes empty.
func checkLink(posted string) (value, broken string) {
	if text, broken := tidy(posted); text == "" && broken == "" {
		return "", ""
	}
	if len(posted) > maxLink {
		return "", fmt.Sprintf("must be at most %d bytes: shorten it, it has %d", maxLink, len(posted))
	}
	for _, c := range []byte(posted) {
		switch {
		case c <= ' ' || c > '~':
			return "", "must be printable ASCII without white space: percent-encode the rest (and write a host in its xn-- form)"
		case c == '"' || c == '<' || c == '>' || c == '\\':
			return "", fmt.Sprintf("must not contain %c: write %%%02X", c, c)
		}
	}
	if len(posted) >= 8 && strings.EqualFold(posted[:8], "https://") {
		return posted, checkAuthority(posted[8:])
	}
	return posted, checkPath(posted)
}

// checkPath says what is wrong with a path. A browser takes what follows a second slash for a host. So does a server that decodes before it
// redirects, when the slash is encoded or stands behind an encoded control character.
func checkPath(path string) (broken string) {
	if !strings.HasPrefix(path, "/") {
		return notALink
	}
	second := path[1:min(len(path), 4)]
	if decoded, err := url.PathUnescape(second); err == nil {
		second = decoded
	}
	if second != "" && (second[0] == '/' || second[0] == '\\' || second[0] < ' ') {
		return "must begin with one / and then a name: write https:// before a host"
	}
	return ""
}

// checkAuthority says what is wrong with the host and port at the start of what follows https://.
func checkAuthority(rest string) (broken string) {
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	if strings.Contains(rest, "@") {
		return "must not contain user info: remove what stands before the @"
	}
	host, port := rest, ""
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, ']') {
		host, port = rest[:colon], rest[colon+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "must have a port from 1 to 65535, or none and no colon"
		}
	}
	if !validHost(host) {
		return "must have the name or address of a host after https://, in letters, digits, dots and hyphens"
	}
	return ""
}

// validHost reports whether a link may lead to a host. Unlike hostname.Parse it admits a final dot after a name.
func validHost(host string) bool {
	name := strings.TrimSuffix(host, ".")
	parsed, err := hostname.Parse(name)
	return err == nil && (name == host || !hostname.IsAddress(parsed))
}
