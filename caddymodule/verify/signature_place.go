package verify

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// SignaturePlace is a place in a request where a signature may be. Exactly one of Header,
// Query and Body is set.
type SignaturePlace struct {
	// The name of a header. A `*` at its end stands for any characters: each header with
	// such a name may hold a signature.
	Header string `json:"header,omitempty"`

	// The position, from 1, of the item in the header that holds the signature. Default:
	// every item that begins with the prefix is a signature.
	Item int `json:"item,omitempty"`

	// The name of a query parameter.
	Query string `json:"query,omitempty"`

	// The path of a string in the body: names of members, with dots between them.
	Body string `json:"body,omitempty"`
}

// String names the place.
func (p SignaturePlace) String() string {
	return Place{Header: http.CanonicalHeaderKey(p.Header), Query: p.Query, Body: p.Body}.String()
}

// validate checks that exactly one place is set, and that a signature can be there.
func (p SignaturePlace) validate(separator string) error {
	n := 0
	for _, set := range []bool{p.Header != "", p.Query != "", p.Body != ""} {
		if set {
			n++
		}
	}
	switch {
	case n == 0:
		return errors.New("the place is missing; use header <name>, query <name> or body <path>")
	case n > 1:
		return errors.New("use exactly one of header, query and body for a place")
	case p.Header == "" && p.Item != 0:
		return errors.New("an item works only in a header")
	case p.Item < 0 || p.Item > MaxItems || (p.Item > 0 && separator == ""):
		return fmt.Errorf(`"item" needs a "separator", and a position from 1 to %d`, MaxItems)
	case p.Header == "*":
		return errors.New(`any header could hold the signature; write the beginning of its name before the *`)
	case p.Header != "":
		return CheckHeaderName(p.Header)
	case p.Body != "":
		_, err := parseMemberPath(p.Body)
		return err
	}
	return nil
}

// isPattern reports whether the place is several headers.
func (p SignaturePlace) isPattern() bool { return strings.HasSuffix(p.Header, "*") }

// source is a compiled SignaturePlace.
type source struct {
	SignaturePlace
	path memberPath
}

func newSource(p SignaturePlace) source {
	p.Header = http.CanonicalHeaderKey(p.Header)
	s := source{SignaturePlace: p}
	if p.Body != "" {
		s.path, _ = parseMemberPath(p.Body) // checked
	}
	return s
}

// read returns the only text in the place, which is not a pattern.
func (p *source) read(s subject) (string, error) {
	switch {
	case p.Header != "":
		return single(s.Header, p.Header)
	case p.Query != "":
		return queryValue(s.Query, p.Query)
	default:
		return p.path.credential(s.root())
	}
}

// matching returns the values of the headers of a pattern, sorted by name. The error is
// about those that are there more than once, or too many.
func (p *source) matching(header http.Header) (values []string, err error) {
	prefix := strings.TrimSuffix(p.Header, "*")
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		value, singleErr := single(header, name)
		switch {
		case singleErr == nil:
			values = append(values, value)
		case !errors.Is(singleErr, ErrMissing):
			err = explain(singleErr, p.String())
		}
		if len(values) > MaxItems {
			return nil, because(ErrBad, "more than %d headers are named %s", MaxItems, p.Header)
		}
	}
	return values, err
}
