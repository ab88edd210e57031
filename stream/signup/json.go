package signup

import "unicode/utf8"

// Data returns the signup as one line of JSON, its members in the contract's order, as the log stores it:
// without the time, which is the log's. A checked signup takes at most stream.MaxData bytes.
func (s Signup) Data() []byte {
	size := len(`{"img_path":"","offer_name":"","user_name":"","place":"","url":""}`)
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
	return append(b, '}')
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
