package template

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
)

// Lookup returns the text of a part of the request; ok is false if the request lacks
// it. For an HMAC, Part.Text is the text to sign, and the result is its MAC. Append
// does not ask for literal text and other functions.
type Lookup func(p Part) (text []byte, ok bool)

// Append appends the text of t to dst. If a part is absent, it returns dst and false.
func (t Template) Append(dst []byte, lookup Lookup) (out []byte, ok bool) {
	out = dst
	for _, part := range t {
		if out, ok = part.append(out, lookup); !ok {
			return dst, false
		}
	}
	return out, true
}

// AppendAll appends the text of t to dst. A part that is absent is empty.
func (t Template) AppendAll(dst []byte, lookup Lookup) []byte {
	out, _ := t.Append(dst, func(p Part) ([]byte, bool) {
		text, _ := lookup(p)
		return text, true
	})
	return out
}

func (p Part) append(dst []byte, lookup Lookup) ([]byte, bool) {
	if p.Kind == Literal {
		return append(dst, p.Text...), true
	}
	if !p.Kind.isFunction() {
		text, ok := lookup(p)
		return append(dst, text...), ok
	}
	inside, ok := p.Inside.Append(nil, lookup)
	if !ok {
		return dst, false
	}
	switch p.Kind {
	case SHA256:
		sum := sha256.Sum256(inside)
		return append(dst, sum[:]...), true
	case Hex:
		return hex.AppendEncode(dst, inside), true
	case Base64:
		return base64.StdEncoding.AppendEncode(dst, inside), true
	case JSON:
		return appendJSON(dst, inside), true
	default: // HMAC
		mac, ok := lookup(Part{Kind: HMAC, Text: string(inside)})
		return append(dst, mac...), ok
	}
}

// appendJSON appends text as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendJSON(dst, text []byte) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(string(text)) // a string and a buffer do not fail
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// isFunction reports whether the kind has a template inside.
func (k Kind) isFunction() bool { return k >= SHA256 && k <= JSON }
