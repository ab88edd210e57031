package stream

import (
	"time"
	"unicode/utf8"
)

// Data returns the signup as the one line of JSON that browsers get, its members in the contract's
// order. The time is written in UTC with milliseconds. A checked signup takes at most MaxData
// bytes.
func (s Signup) Data(at time.Time) []byte {
	size := len(`{"img_path":"","offer_name":"","user_name":"","place":"","url":"","at":"2006-01-02T15:04:05.000Z"}`)
	size += len(s.ImgPath) + len(s.OfferName) + len(s.UserName) + len(s.Place) + len(s.URL)
	b := make([]byte, 0, size+16)
	b = appendString(append(b, `{"img_path":`...), s.ImgPath)
	b = appendString(append(b, `,"offer_name":`...), s.OfferName)
	b = appendString(append(b, `,"user_name":`...), s.UserName)
	if s.Place != "" {
		b = appendString(append(b, `,"place":`...), s.Place)
	}
	if s.URL != "" {
		b = appendString(append(b, `,"url":`...), s.URL)
	}
	b = appendTime(append(b, `,"at":`...), at)
	return append(b, '}')
}

// appendTime appends a JSON string: RFC 3339, UTC, milliseconds.
func appendTime(b []byte, at time.Time) []byte {
	return at.UTC().AppendFormat(b, `"2006-01-02T15:04:05.000Z"`)
}

// appendString appends a JSON string (RFC 8259, section 7) on one line, whatever the text. U+2028
// and U+2029 are escaped because some stream readers take them for line ends.
func appendString(b []byte, text string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xF])
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		case r == 0x2028 || r == 0x2029:
			b = append(b, '\\', 'u', '2', '0', '2', hex[r&0xF])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
