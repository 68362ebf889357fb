package form

// JSON returns the parameters as a JSON object, in their order. The values are strings; a
// name that is there several times is an array of them, at its first place. It is at most
// six times as long as the names and values: that is how long an escaped control character
// is.
func (f Form) JSON() string {
	positions := make(map[string][]int, len(f))
	for i, p := range f {
		positions[p.Name] = append(positions[p.Name], i)
	}
	out := append(make([]byte, 0, f.size()), '{')
	for i, p := range f {
		all := positions[p.Name]
		if all[0] != i {
			continue
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, p.Name), ':')
		if len(all) == 1 {
			out = appendString(out, p.Value)
			continue
		}
		for n, position := range all {
			out = append(out, "[,"[min(n, 1)])
			out = appendString(out, f[position].Value)
		}
		out = append(out, ']')
	}
	return string(append(out, '}'))
}

// size is the length of the JSON without escapes.
func (f Form) size() int {
	size := len("{}")
	for _, p := range f {
		size += len(p.Name) + len(p.Value) + len(`"":"",`)
	}
	return size
}

// appendString appends s, which is UTF-8, as a JSON string. Only what JSON demands is
// escaped (RFC 8259, section 7).
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c < ' ':
			dst = append(dst, `\u00`...)
			dst = append(dst, hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
