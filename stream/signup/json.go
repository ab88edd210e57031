package signup

import "unicode/utf8"

// Data returns the signup as the log stores it: one line of JSON, without the time, which the log adds. The members are img_path, offer_name,
// user_name, then those of place, url, kind and blank that say something. Their order is part of the API. A signup from New has at most
// stream.MaxData bytes.
func (s Signup) Data() []byte {
	size := len(`{"img_path":"","offer_name":"","user_name":"","place":"","url":"","kind":"","blank":["user_name","offer_name"]}`)
	size += len(s.ImgPath) + len(s.OfferName) + len(s.UserName) + len(s.Place) + len(s.URL) + len(s.Kind)
	b := make([]byte, 0, size+16) // room for some characters that are escaped
	b = appendString(append(b, `{"img_path":`...), s.ImgPath)
	b = appendString(append(b, `,"offer_name":`...), s.OfferName)
	b = appendString(append(b, `,"user_name":`...), s.UserName)
	if s.Place != "" {
		b = appendString(append(b, `,"place":`...), s.Place)
	}
	if s.URL != "" {
		b = appendString(append(b, `,"url":`...), s.URL)
	}
	if s.Kind != "" {
		b = appendString(append(b, `,"kind":`...), s.Kind)
	}
	return append(append(b, s.blank()...), '}')
}

// blank returns the member that lists which of user_name and offer_name the backend left blank, in this order; empty when it gave both.
func (s Signup) blank() string {
	switch {
	case s.UserNameBlank && s.OfferNameBlank:
		return `,"blank":["user_name","offer_name"]`
	case s.UserNameBlank:
		return `,"blank":["user_name"]`
	case s.OfferNameBlank:
		return `,"blank":["offer_name"]`
	}
	return ""
}

// appendString appends any text as a JSON string (RFC 8259, section 7) on one line. It escapes U+2028 and U+2029, which some clients take for
// line ends. A byte that is not UTF-8 becomes U+FFFD.
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
