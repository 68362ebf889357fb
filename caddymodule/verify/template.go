package verify

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// The parts of a request in a content template.
const (
	partBody      = "body"
	partTimestamp = "timestamp"
	partMethod    = "method"
	partURI       = "uri"
	partHeader    = "header"
)

// template describes the signed content.
type template []element

// element is a part of the request, or literal text when part is empty.
type element struct {
	part string
	text string // the literal text, or the name of the header
}

// parts are the pieces of the signed content, in order.
type parts [][]byte

// parseTemplate parses a template such as `v0:$timestamp:$body`.
func parseTemplate(s string) (template, error) {
	var t template
	for s != "" {
		literal, rest, found := strings.Cut(s, "$")
		if literal != "" {
			t = append(t, element{text: literal})
		}
		if !found {
			return t, nil
		}
		part, tail, ok := cutPart(rest)
		if !ok {
			return nil, fmt.Errorf("content: unknown part at %q; use $body, $timestamp, $method, $uri or $header(<name>)", "$"+rest)
		}
		if part.part == partHeader {
			if err := CheckHeaderName(part.text); err != nil {
				return nil, fmt.Errorf("content: %w", err)
			}
			part.text = http.CanonicalHeaderKey(part.text)
		}
		t = append(t, part)
		s = tail
	}
	return t, nil
}

func cutPart(s string) (element, string, bool) {
	for _, part := range []string{partBody, partTimestamp, partMethod, partURI} {
		if tail, ok := strings.CutPrefix(s, part); ok {
			return element{part: part}, tail, true
		}
	}
	if inside, ok := strings.CutPrefix(s, partHeader+"("); ok {
		if name, tail, isClosed := strings.Cut(inside, ")"); isClosed {
			return element{part: partHeader, text: name}, tail, true
		}
	}
	return element{}, s, false
}

func (t template) has(part string) bool {
	for _, e := range t {
		if e.part == part {
			return true
		}
	}
	return false
}

// parts returns the signed content of r. If r has a header of it twice, twice is its name.
// A missing header is empty; then the signature decides.
func (t template) parts(r *Request, timestamp string) (_ parts, twice string) {
	p := make(parts, 0, len(t))
	for _, e := range t {
		switch e.part {
		case partBody:
			p = append(p, r.Body)
		case partTimestamp:
			p = append(p, []byte(timestamp))
		case partMethod:
			p = append(p, []byte(r.Method))
		case partURI:
			p = append(p, []byte(r.URI))
		case partHeader:
			value, err := single(r.Header, e.text)
			if errors.Is(err, ErrBad) {
				return nil, e.text
			}
			p = append(p, []byte(value))
		default:
			p = append(p, []byte(e.text))
		}
	}
	return p, ""
}
