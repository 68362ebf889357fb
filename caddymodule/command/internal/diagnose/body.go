package diagnose

import (
	"bytes"
	"encoding/json"
)

// bodyForm is another form of a body, which something on its way, or between the
// recording and this file, could have made of it.
type bodyForm struct {
	name string // completes "the signature is right for …"
	make func(body []byte) []byte
}

var (
	lf   = []byte("\n")
	crlf = []byte("\r\n")
	bom  = []byte("\ufeff")
)

var bodyForms = []bodyForm{
	{"the body without the line end at its end; an editor or a tool has added it", func(b []byte) []byte {
		return bytes.TrimSuffix(bytes.TrimSuffix(b, lf), []byte("\r"))
	}},
	{"the body with a line feed at its end; something has removed it", func(b []byte) []byte { return join(b, lf) }},
	{"the body with CRLF at its end; something has removed it", func(b []byte) []byte { return join(b, crlf) }},
	{"the body with LF instead of CRLF", func(b []byte) []byte { return bytes.ReplaceAll(b, crlf, lf) }},
	{"the body with CRLF instead of LF", func(b []byte) []byte {
		return bytes.ReplaceAll(bytes.ReplaceAll(b, crlf, lf), lf, crlf)
	}},
	{"the body without its byte order mark", func(b []byte) []byte { return bytes.TrimPrefix(b, bom) }},
	{"the same JSON without spaces; something has re-encoded it", compact},
	{"the same JSON with a space after each comma and colon; something has re-encoded it", spaced},
	{"the same JSON, indented by two spaces; something has re-encoded it", indentedBy("  ")},
	{"the same JSON, indented by four spaces; something has re-encoded it", indentedBy("    ")},
	{"the same JSON, indented by tabs; something has re-encoded it", indentedBy("\t")},
	{`the same JSON with \/ instead of /; something has re-encoded it`, func(b []byte) []byte {
		return bytes.ReplaceAll(bytes.ReplaceAll(b, []byte(`\/`), []byte(`/`)), []byte(`/`), []byte(`\/`))
	}},
	{`the same JSON with / instead of \/; something has re-encoded it`, func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte(`\/`), []byte(`/`))
	}},
}

// of returns the form of a body; ok is false if the body has it already, or cannot
// have it.
func (f bodyForm) of(body []byte) (form []byte, ok bool) {
	form = f.make(body)
	return form, form != nil && !bytes.Equal(form, body)
}

func join(a, b []byte) []byte { return bytes.Join([][]byte{a, b}, nil) }

// compact returns JSON without the space between its tokens; nil for another body.
func compact(body []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, body) != nil {
		return nil
	}
	return b.Bytes()
}

// indentedBy returns what indents JSON.
func indentedBy(indent string) func(body []byte) []byte {
	return func(body []byte) []byte {
		var b bytes.Buffer
		if json.Indent(&b, compact(body), "", indent) != nil {
			return nil
		}
		return b.Bytes()
	}
}

// spaced returns JSON as Python and Ruby write it: with a space after each comma and
// colon; nil for another body.
func spaced(body []byte) []byte {
	var spaced []byte
	inString, isEscaped := false, false
	for _, c := range compact(body) {
		spaced = append(spaced, c)
		switch {
		case isEscaped:
			isEscaped = false
		case inString && c == '\\':
			isEscaped = true
		case c == '"':
			inString = !inString
		case !inString && (c == ',' || c == ':'):
			spaced = append(spaced, ' ')
		}
	}
	return spaced
}
