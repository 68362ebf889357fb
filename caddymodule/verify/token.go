package verify

import (
	"errors"
	"fmt"
	"strings"
)

// Token describes how a provider presents a shared token.
type Token struct {
	// The places where the token may be. Every one that holds something is tried.
	Places []Place `json:"places"`
}

// Place is a place in a request where a token may be. Exactly one of its fields is
// set.
type Place struct {
	// Whether the token is in the Authorization header, after `Bearer` (RFC 6750) or
	// alone.
	Bearer bool `json:"bearer,omitempty"`

	// The name of a header.
	Header string `json:"header,omitempty"`

	// The name of a query parameter.
	Query string `json:"query,omitempty"`

	// The path of a string in the body: names of members, with dots between them.
	Body string `json:"body,omitempty"`
}

// TokenVerifier proves that a request presents one of the tokens.
type TokenVerifier struct {
	places []tokenPlace
	tokens []string
}

// tokenPlace is a compiled Place.
type tokenPlace struct {
	Place
	path memberPath // of Body
}

// NewTokenVerifier returns a verifier for tokens in the places of t. Several tokens
// are for rotation: any may match. A token must not be empty.
func NewTokenVerifier(t Token, tokens []string) (*TokenVerifier, error) {
	if len(tokens) == 0 {
		return nil, errors.New("a token is required")
	}
	for _, token := range tokens {
		if token == "" {
			return nil, errors.New("a token is empty")
		}
	}
	places, err := newTokenPlaces(t.Places)
	if err != nil {
		return nil, err
	}
	return &TokenVerifier{places: places, tokens: tokens}, nil
}

func newTokenPlaces(places []Place) ([]tokenPlace, error) {
	compiled := make([]tokenPlace, len(places))
	for i, place := range places {
		if err := place.Validate(); err != nil {
			return nil, err
		}
		compiled[i].Place = place
		if place.Body != "" {
			compiled[i].path, _ = parseMemberPath(place.Body) // checked
		}
	}
	return compiled, nil
}

// Verify implements Verifier.
func (v *TokenVerifier) Verify(r *Request) (Proof, error) {
	var wrong *tokenPlace // the last one that holds something
	var isTwice bool
	for i := range v.places {
		token, err := v.places[i].read(r)
		if err == nil {
			if n := ordinal(token, v.tokens); n > 0 {
				return Proof{Ordinal: n, Token: token}, nil
			}
		}
		if !errors.Is(err, ErrMissing) {
			wrong, isTwice = &v.places[i], err != nil
		}
	}
	switch {
	case wrong == nil:
		return Proof{}, because(ErrMissing, "no token in %s", placeNames(v.places))
	case isTwice:
		return Proof{}, explain(ErrBad, wrong.String())
	}
	return Proof{}, because(ErrBad, "the token in %s is not %s", wrong, v.configured())
}

// placeNames lists the places.
func placeNames(places []tokenPlace) string {
	names := make([]string, len(places))
	for i, place := range places {
		names[i] = place.String()
	}
	return strings.Join(names, " or ")
}

// configured names the tokens.
func (v *TokenVerifier) configured() string {
	if len(v.tokens) == 1 {
		return "the configured one"
	}
	return fmt.Sprintf("one of the %d configured ones", len(v.tokens))
}

// String names the place.
func (p Place) String() string {
	switch {
	case p.Bearer:
		return "header Authorization"
	case p.Header != "":
		return "header " + p.Header
	case p.Query != "":
		return "query parameter " + p.Query
	default:
		return "member " + p.Body + " of the body"
	}
}

// ordinal returns the position, from 1, of the token that matches; 0 if none does. All
// are compared, so that the time does not reveal which one matched.
func ordinal(presented string, tokens []string) int {
	n := 0
	for i, token := range tokens {
		if equal(presented, token) && n == 0 {
			n = i + 1
		}
	}
	return n
}

// read returns the value in the place.
func (p *tokenPlace) read(r *Request) (string, error) {
	switch {
	case p.Bearer:
		value, err := single(r.Header, "Authorization")
		if err != nil {
			return "", err
		}
		if scheme, token, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Bearer") {
			value = strings.TrimLeft(token, " ")
		}
		return value, nil
	case p.Header != "":
		return single(r.Header, p.Header)
	case p.Query != "":
		return queryValue(r.Query, p.Query)
	default:
		return p.path.credential(subject{Request: r}.root())
	}
}

// Validate checks that exactly one place is set, and that a token can be there.
func (p Place) Validate() error {
	n := 0
	for _, set := range []bool{p.Bearer, p.Header != "", p.Query != "", p.Body != ""} {
		if set {
			n++
		}
	}
	if n != 1 {
		return errors.New("use exactly one of bearer, header, query and body")
	}
	if p.Header != "" {
		return CheckHeaderName(p.Header)
	}
	if p.Body != "" {
		_, err := parseMemberPath(p.Body)
		return err
	}
	return nil
}
