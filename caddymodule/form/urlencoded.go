package form

import (
	"fmt"
	"net/url"
	"strings"
)

// parseURLEncoded reads a body such as `a=1&b=x+y`.
func parseURLEncoded(body string) (Form, error) {
	if err := checkURLEncoded(body); err != nil {
		return nil, err
	}
	var f Form
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		if len(f) == MaxParameters {
			return nil, ErrTooMany
		}
		p, err := parsePair(pair)
		if err != nil {
			return nil, err
		}
		f = append(f, p)
	}
	return f, nil
}

// checkURLEncoded refuses a body in another encoding. The Content-Type is not signed: under
// another one, a JSON body would be one parameter with a strange name, and so another event.
func checkURLEncoded(body string) error {
	if start := strings.TrimLeft(body, " "); strings.HasPrefix(start, "{") || strings.HasPrefix(start, "[") {
		return fmt.Errorf("%w: it looks like JSON; check the Content-Type", ErrBroken)
	}
	for i := range len(body) {
		if body[i] < ' ' || body[i] == 0x7f {
			return fmt.Errorf("%w: byte %d is a control character, which a form escapes", ErrBroken, i+1)
		}
	}
	return nil
}

func parsePair(pair string) (p Parameter, err error) {
	name, value, _ := strings.Cut(pair, "=")
	if p.Name, err = url.QueryUnescape(name); err == nil {
		p.Value, err = url.QueryUnescape(value)
	}
	if err != nil {
		return Parameter{}, fmt.Errorf("%w: a %% without two hexadecimal digits after it", ErrBroken)
	}
	return p, nil
}

// rewriteURLEncoded implements Rewrite. Parameters that stay as they are keep their bytes.
func rewriteURLEncoded(body string, rewrite func(Parameter) (string, bool)) ([]byte, error) {
	out := make([]byte, 0, len(body))
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		p, err := parsePair(pair)
		if err != nil {
			return nil, err
		}
		value, keep := rewrite(p)
		if !keep {
			continue
		}
		if value != p.Value {
			pair = url.QueryEscape(p.Name) + "=" + url.QueryEscape(value)
		}
		if len(out) > 0 {
			out = append(out, '&')
		}
		out = append(out, pair...)
	}
	return out, nil
}
