// Package verify proves who sent a request: by a signature over what was sent,
// by a shared token, by basic auth or a static header. It fails closed, compares
// in constant time, and its errors say nothing that a sender could learn from.
package verify

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// What a proof can fail on.
var (
	// ErrMissing says that no credential was presented where one is expected.
	ErrMissing = errors.New("no credential presented")

	// ErrBad says that a credential was presented and is not the right one.
	ErrBad = errors.New("credential does not match")

	// ErrStale says that a signature is right but its timestamp is out of
	// tolerance.
	ErrStale = errors.New("timestamp out of tolerance")
)

// Request is what a proof is looked for in, exactly as it was received.
type Request struct {
	// Method is the HTTP method.
	Method string

	// URI is the path and query as the client sent them, before any rewrite.
	URI string

	// Query is the query part of URI, without the question mark.
	Query string

	// Header is the header of the request.
	Header http.Header

	// Body is the whole body.
	Body []byte

	// Time is when the request was received.
	Time time.Time
}

// Proof is what is known after a request was verified.
type Proof struct {
	// Ordinal is the position, counted from 1, of the secret or token that
	// matched; 0 when none was asked for.
	Ordinal int

	// Token is the token as the request presented it; may be empty.
	Token string
}

// Verifier proves a request. Its errors wrap ErrMissing, ErrBad or ErrStale.
type Verifier interface {
	Verify(r *Request) (Proof, error)
}

// All asks for every proof of its verifiers. The result is that of the first
// one that matched a secret or token.
type All []Verifier

// Verify implements Verifier.
func (all All) Verify(r *Request) (Proof, error) {
	var proof Proof
	for _, verifier := range all {
		p, err := verifier.Verify(r)
		if err != nil {
			return Proof{}, err
		}
		if proof.Ordinal == 0 {
			proof = p
		}
	}
	return proof, nil
}

// BasicAuth asks for a user name and password (RFC 7617).
type BasicAuth struct {
	Username, Password string
}

// Verify implements Verifier.
func (b BasicAuth) Verify(r *Request) (Proof, error) {
	value, err := single(r.Header, "Authorization")
	if err != nil {
		return Proof{}, err
	}
	username, password, ok := (&http.Request{Header: http.Header{"Authorization": {value}}}).BasicAuth()
	if !ok {
		return Proof{}, ErrBad
	}
	// Both are compared, so that the time taken does not tell which one is wrong.
	if !equal(username, b.Username) || !equal(password, b.Password) {
		return Proof{}, ErrBad
	}
	return Proof{}, nil
}

// StaticHeader asks for a header that the provider was told to send.
type StaticHeader struct {
	Name, Value string
}

// Verify implements Verifier.
func (h StaticHeader) Verify(r *Request) (Proof, error) {
	value, err := single(r.Header, h.Name)
	if err != nil {
		return Proof{}, err
	}
	if !equal(value, h.Value) {
		return Proof{}, ErrBad
	}
	return Proof{}, nil
}

// single returns the one value of a header.
func single(header http.Header, name string) (string, error) {
	return one(header[http.CanonicalHeaderKey(name)])
}

// queryValue returns the one value of a query parameter. Pairs that cannot be
// unescaped do not count, as with net/url.
func queryValue(query, name string) (string, error) {
	if query == "" {
		return "", ErrMissing
	}
	values, _ := url.ParseQuery(query)
	return one(values[name])
}

// one returns the value of what may stand there once. What stands there twice
// proves nothing: whoever reads the other one would see something else.
func one(values []string) (string, error) {
	switch {
	case len(values) > 1:
		return "", ErrBad
	case len(values) == 0 || values[0] == "":
		return "", ErrMissing
	}
	return values[0], nil
}

// equal compares a presented credential with the right one, in a time that
// depends on their lengths only.
func equal(presented, want string) bool {
	return subtle.ConstantTimeCompare([]byte(presented), []byte(want)) == 1
}
