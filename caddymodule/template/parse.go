package template

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// maxDepth is the number of functions that may be inside each other.
const maxDepth = 8

// kinds holds the kinds by the name after the `$`. BodyPath is Body with parentheses.
var kinds = map[string]Kind{
	"body": Body, "timestamp": Timestamp, "method": Method, "uri": URI, "url": URL,
	"header": Header, "query": Query, "form": Form,
	"sha256": SHA256, "hmac": HMAC, "hex": Hex, "base64": Base64, "json": JSON,
}

// placeholder matches the placeholders of Caddy that are probable in a template, which
// does not replace them: they would be literal text.
var placeholder = regexp.MustCompile(`\{(?:(?:http|header|query|cookie|env|file|vars)\.[^{}\s]+|method|uri|path|query|body|host|timestamp)\}`)

// Parse parses a template. The error says what is wrong, and what to write instead.
func Parse(s string) (Template, error) {
	if found := placeholder.FindString(s); found != "" {
		return nil, fmt.Errorf("%s is a placeholder of Caddy, and does not work here; write a part, such as $body, $header(<name>) or $query(<name>)", found)
	}
	p := parser{rest: s}
	return p.template(0)
}

// parser holds the text that is not parsed yet.
type parser struct{ rest string }

// template parses up to the end of the text, or of the function that it is inside of:
// depth is their number.
func (p *parser) template(depth int) (Template, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("functions are inside each other more than %d times; use fewer", maxDepth)
	}
	var t Template
	open := 0 // literal parentheses
	for p.rest != "" {
		c := p.rest[0]
		if c == ')' && open == 0 && depth > 0 {
			break // of the function
		}
		p.rest = p.rest[1:]
		switch c {
		case '$':
			part, err := p.part(depth)
			if err != nil {
				return nil, err
			}
			t = append(t, part)
			continue
		case '\\':
			escaped, err := p.escape()
			if err != nil {
				return nil, err
			}
			c = escaped
		case '(':
			open++
		case ')':
			open = max(open-1, 0)
		}
		t = t.withLiteral(c)
	}
	return t, nil
}

// withLiteral appends a character to the literal text at the end of t.
func (t Template) withLiteral(c byte) Template {
	if n := len(t); n > 0 && t[n-1].Kind == Literal {
		t[n-1].Text += string([]byte{c})
		return t
	}
	return append(t, Part{Text: string([]byte{c})})
}

// escape parses what follows a backslash.
func (p *parser) escape() (byte, error) {
	if p.rest == "" {
		return 0, errors.New(`a backslash is at the end; for the character itself, write \\`)
	}
	c := p.rest[0]
	p.rest = p.rest[1:]
	switch c {
	case 'n':
		return '\n', nil
	case '\\', '$', '(', ')':
		return c, nil
	}
	return 0, fmt.Errorf(`unknown escape %q; use \n for a line feed, and \\, \$, \( and \) for the characters themselves`, `\`+string([]byte{c}))
}

// part parses what follows a `$`.
func (p *parser) part(depth int) (Part, error) {
	n := 0
	for n < len(p.rest) && isNameByte(p.rest[n]) {
		n++
	}
	name := p.rest[:n]
	p.rest = p.rest[n:]
	if name == "" {
		return Part{}, errors.New(`a $ begins a part of the request, such as $body; for the character itself, write \$`)
	}
	kind, ok := kinds[name]
	if !ok {
		return Part{}, fmt.Errorf("unknown part $%s; use $body, $body(<path>), $timestamp, $method, $uri, $url, $form, $header(<name>) or $query(<name>), "+
			"or a function: $sha256(…), $hmac(…), $hex(…), $base64(…) or $json(…)", name)
	}
	hasArgument := strings.HasPrefix(p.rest, "(")
	switch {
	case kind.isFunction() && !hasArgument:
		return Part{}, fmt.Errorf("$%s is a function; write what it is of in parentheses, such as $%s($body)", name, name)
	case (kind == Header || kind == Query) && !hasArgument:
		return Part{}, fmt.Errorf("$%s needs a name; write $%s(<name>)", name, name)
	case !hasArgument:
		return Part{Kind: kind}, nil
	}
	p.rest = p.rest[1:]
	switch {
	case kind.isFunction():
		return p.function(name, kind, depth)
	case kind == Body:
		kind = BodyPath
	case kind != Header && kind != Query:
		return Part{}, fmt.Errorf(`$%s takes nothing in parentheses; for the character itself, write \(`, name)
	}
	return p.named(name, kind)
}

// isNameByte reports whether c may be in the name of a part. A name ends at the first
// other character, so that `$bodies` is an error instead of `$body` before `ies`. An
// underscore ends it too: some sign `$body_$timestamp`.
func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// function parses the argument of a function, and its closing parenthesis.
func (p *parser) function(name string, kind Kind, depth int) (Part, error) {
	inside, err := p.template(depth + 1)
	if err != nil {
		return Part{}, err
	}
	if p.rest == "" {
		return Part{}, fmt.Errorf("the parenthesis of $%s( is not closed; write $%s(…)", name, name)
	}
	p.rest = p.rest[1:]
	if len(inside) == 0 {
		return Part{}, fmt.Errorf("$%s() is of nothing; write what it is of, such as $%s($body)", name, name)
	}
	if kind == JSON {
		for _, part := range inside {
			if part.Kind == SHA256 || part.Kind == HMAC {
				return Part{}, fmt.Errorf("$json is of text, and %s makes bytes; write $json($hex(%s)) or $json($base64(%s))", part, part, part)
			}
		}
	}
	return Part{Kind: kind, Inside: inside}, nil
}

// named parses a path or a name, and its closing parenthesis. Parentheses in it nest,
// and a backslash takes the meaning from the next character, as in gjson.
func (p *parser) named(name string, kind Kind) (Part, error) {
	text, ok := p.balanced()
	switch {
	case !ok:
		return Part{}, fmt.Errorf("the parenthesis of $%s( is not closed; write $%s(…)", name, name)
	case text == "" && kind == BodyPath:
		return Part{}, errors.New("the path in $body() is missing; for the whole body, write $body")
	case text == "":
		return Part{}, fmt.Errorf("the name in $%s() is missing; write $%s(<name>)", name, name)
	case kind == Header:
		text = http.CanonicalHeaderKey(text)
	}
	return Part{Kind: kind, Text: text}, nil
}

// balanced cuts the text before the parenthesis that closes it.
func (p *parser) balanced() (string, bool) {
	open := 0
	for i := 0; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '\\':
			i++
		case '(':
			open++
		case ')':
			if open--; open < 0 {
				text := p.rest[:i]
				p.rest = p.rest[i+1:]
				return text, true
			}
		}
	}
	return "", false
}
