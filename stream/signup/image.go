package signup

import (
	"html"
	"net/url"
	"strings"
)

// defaultImage is the img_path of the service's own picture.
const defaultImage = "default"

// checkImage is checkLink with the word "default" allowed, and with "default" for what is no link but is not worth losing a signup.
func checkImage(posted string) (value, broken string) {
	value, broken = checkLink(posted)
	if broken == "" {
		return value, ""
	}
	if image, broken := checkCharacters(posted); broken == "" && replaceable(image) {
		return defaultImage, ""
	}
	if broken == notALink {
		broken = `must be "default", an https:// URL, or a path that begins with one /`
	}
	return "", broken
}

// imageReplaced reports whether checkImage replaces a valid img_path by "default".
func imageReplaced(posted string) bool {
	image, broken := checkCharacters(posted)
	if broken != "" || image == "" || image == defaultImage {
		return false
	}
	_, broken = checkLink(posted)
	return broken != "" && replaceable(image)
}

// replaceable reports whether an image that checkLink refuses shows plainly what it is: "default", an http URL, a URL without its scheme, or a
// path that is relative to the page. A disguise of a scheme or of user info is none of these.
func replaceable(image string) bool {
	switch {
	case hasScheme(image, "http"):
		return plainAuthority(image[len("http://"):])
	case strings.HasPrefix(image, "//"):
		return plainAuthority(image[len("//"):])
	}
	return isRelative(image)
}

// plainAuthority reports whether the rest of a URL after its two slashes begins with something that may be a host, without user info.
func plainAuthority(rest string) bool {
	host := authority(rest)
	decoded, err := url.PathUnescape(host)
	return err == nil && decoded != "" && !strings.ContainsAny(decoded, `@/\`)
}

// isRelative reports whether an image is a path relative to the page. Its first segment is not a scheme, however it is written.
func isRelative(image string) bool {
	first := authority(html.UnescapeString(image))
	decoded, err := url.PathUnescape(first)
	return err == nil && !strings.HasPrefix(image, "/") && !strings.ContainsAny(decoded, ":：﹕︓/\\\t\r\n\x00")
}
