package console

import (
	"bytes"
	"encoding/json"
	"html/template"
	"strings"
	"unicode/utf8"
)

// maxShown is the maximum number of bytes that a page shows of a body.
const maxShown = 64 << 10

// shownBody is the beginning of a body.
type shownBody struct {
	Name  string // envelope or original
	Text  template.HTML
	Size  int64 // of all of it, in bytes
	IsCut bool  // there is more
}

// newShownBody returns the readable form of a body.
func newShownBody(name string, body []byte) shownBody {
	b := shownBody{Name: name, Size: int64(len(body))}
	text := body
	if json.Valid(body) {
		text = indent(body, maxShown)
		b.IsCut = len(text) > maxShown
	}
	if len(text) > maxShown {
		b.IsCut = true
		text = text[:maxShown]
		for range utf8.UTFMax - 1 { // of a character that was cut in two
			if r, size := utf8.DecodeLastRune(text); r != utf8.RuneError || size != 1 {
				break
			}
			text = text[:len(text)-1]
		}
	}
	b.Text = visible(string(text), true)
	return b
}

// indent returns JSON with line breaks and indentation, and its bytes otherwise as they
// are: numbers, escapes and duplicate keys stay. It ends soon after limit bytes.
func indent(raw []byte, limit int) []byte {
	var out bytes.Buffer
	depth := 0
	line := func() { out.WriteString("\n" + strings.Repeat("  ", depth)) }
	inString := false
	for i := 0; i < len(raw) && out.Len() <= limit; i++ {
		c := raw[i]
		if inString {
			out.WriteByte(c)
			switch c {
			case '\\': // JSON is valid, so that one follows
				i++
				out.WriteByte(raw[i])
			case '"':
				inString = false
			}
			continue
		}
		switch c {
		case ' ', '\t', '\n', '\r':
		case '"':
			inString = true
			out.WriteByte(c)
		case '{', '[':
			out.WriteByte(c)
			rest := bytes.TrimLeft(raw[i+1:], " \t\r\n")
			if rest[0] == c+2 { // } and ] come two after { and [
				out.WriteByte(rest[0])
				i = len(raw) - len(rest)
				continue
			}
			depth++
			line()
		case '}', ']':
			depth--
			line()
			out.WriteByte(c)
		case ',':
			out.WriteByte(c)
			line()
		case ':':
			out.WriteString(": ")
		default:
			out.WriteByte(c)
		}
	}
	return out.Bytes()
}
