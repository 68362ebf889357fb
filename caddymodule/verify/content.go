package verify

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
)

// content is a compiled template of what is signed, or of the value of a claim.
type content struct {
	template template.Template
	pieces   []piece
}

// piece is a part of a template, with what can be prepared of it.
type piece struct {
	template.Part
	literal []byte     // of a Literal
	path    memberPath // of a BodyPath
}

// parts are the pieces of the signed content, in order.
type parts [][]byte

// join returns the whole content.
func (p parts) join() []byte { return bytes.Join(p, nil) }

// newContent compiles a template. where is the word for errors.
func newContent(where, text string) (content, error) {
	t, err := template.Parse(text)
	if err != nil {
		return content{}, fmt.Errorf("%s: %w", where, err)
	}
	for part := range t.Parts() {
		switch part.Kind {
		case template.Header:
			err = CheckHeaderName(part.Text)
		case template.BodyPath:
			_, err = parseMemberPath(part.Text)
		case template.HMAC:
			err = errors.New("$hmac works only in the answer of a handshake")
		}
		if err != nil {
			return content{}, fmt.Errorf("%s: %w", where, err)
		}
	}
	c := content{template: t, pieces: make([]piece, len(t))}
	for i, part := range t {
		c.pieces[i] = newPiece(part)
	}
	return c, nil
}

func newPiece(part template.Part) piece {
	p := piece{Part: part}
	switch part.Kind {
	case template.Literal:
		p.literal = []byte(part.Text)
	case template.BodyPath:
		p.path, _ = parseMemberPath(part.Text) // checked
	}
	return p
}

// has reports whether one of the kinds is in the template.
func (c content) has(kinds ...template.Kind) bool { return c.template.Has(kinds...) }

// hasPath reports whether `$body(<path>)` is in the template.
func (c content) hasPath(path string) bool { return c.hasNamed(template.BodyPath, path) }

// hasQuery reports whether `$query(<name>)` is in the template.
func (c content) hasQuery(name string) bool { return c.hasNamed(template.Query, name) }

func (c content) hasNamed(kind template.Kind, name string) bool {
	for part := range c.template.Parts() {
		if part.Kind == kind && part.Text == name {
			return true
		}
	}
	return false
}

// parts returns the signed content. A part that is absent is empty; then the signature
// decides. One that is there twice is an error.
func (c content) parts(s subject, timestamp string) (parts, error) {
	p := make(parts, 0, len(c.pieces))
	for i := range c.pieces {
		text, err := c.pieces[i].text(s, timestamp)
		if errors.Is(err, ErrBad) {
			return nil, err
		}
		p = append(p, text)
	}
	return p, nil
}

// value returns the text of the template, ErrMissing if a part is absent.
func (c content) value(s subject) (string, error) {
	var out []byte
	for i := range c.pieces {
		text, err := c.pieces[i].text(s, "")
		if err != nil {
			return "", err
		}
		out = append(out, text...)
	}
	return string(out), nil
}

// text returns the text of a piece: ErrMissing if it is absent, and an error that names it
// if it is there twice.
func (p *piece) text(s subject, timestamp string) ([]byte, error) {
	var text string
	var err error
	switch p.Kind {
	case template.Literal:
		return p.literal, nil
	case template.Body:
		return s.Body, nil
	case template.Timestamp:
		text = timestamp
	case template.Method:
		text = s.Method
	case template.URI:
		text = s.URI
	case template.URL:
		text = s.URL
	case template.Header:
		text, err = single(s.Header, p.Text)
	case template.Query:
		text, err = queryValue(s.Query, p.Text)
	case template.BodyPath:
		text, err = p.path.text(s.root())
	case template.Form:
		err = ErrMissing
		if s.isForm() {
			text, _ = s.Form()
			err = nil
		}
	default:
		return p.apply(s, timestamp)
	}
	if errors.Is(err, ErrBad) {
		err = explain(err, p.place())
	}
	return []byte(text), err
}

// apply returns the text of a function. Inside of it, too, a part that is absent is empty
// beside the error.
func (p *piece) apply(s subject, timestamp string) ([]byte, error) {
	var refusal error
	out := template.Template{p.Part}.AppendAll(nil, func(part template.Part) ([]byte, bool) {
		inner := newPiece(part)
		text, err := inner.text(s, timestamp)
		if err != nil && !errors.Is(refusal, ErrBad) {
			refusal = err
		}
		return text, err == nil
	})
	return out, refusal
}

// place names the place of a piece in the request.
func (p *piece) place() string {
	switch p.Kind {
	case template.Header:
		return "header " + p.Text
	case template.Query:
		return "query parameter " + p.Text
	default:
		return "member " + p.Text + " of the body"
	}
}
