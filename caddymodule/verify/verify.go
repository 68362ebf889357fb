// Package verify proves who sent a request: by a signature, a shared token, basic
// auth or a static header. It fails closed and compares in constant time. Its errors say
// what is wrong, for the log and the journal: which header is missing, how old a timestamp
// is. They hold no credential, and nothing else that the sender chose; but they must not
// reach the sender.
package verify

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// The errors of a Verifier.
var (
	// ErrMissing is the error of a request without a credential.
	ErrMissing = errors.New("no credential presented")

	// ErrBad is the error of a request with a wrong credential.
	ErrBad = errors.New("credential does not match")

	// ErrStale is the error of a request with a right signature and a timestamp out
	// of tolerance.
	ErrStale = errors.New("timestamp out of tolerance")
)

// Proof is the result of a verification.
type Proof struct {
	// Ordinal is the position, from 1, of the secret or token that matched; 0 if the
	// verifier has neither.
	Ordinal int

	// Token is the token that the request presented; "" if the verifier has none.
	Token string
}

// Verifier proves a request. Its errors wrap ErrMissing, ErrBad or ErrStale.
type Verifier interface {
	Verify(r *Request) (Proof, error)
}

// All requires the proof of every one of its verifiers. The result is that of the
// first one that matched a secret or token.
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

// Presented reports whether r holds a credential of the first verifier, or a wrong one
// of another: whether it is more than a request without any credential.
func (all All) Presented(r *Request) bool {
	for i, verifier := range all {
		_, err := verifier.Verify(r)
		if !errors.Is(err, ErrMissing) && (i == 0 || err != nil) {
			return true
		}
	}
	return false
}

// BasicAuth requires a user name and a password (RFC 7617).
type BasicAuth struct {
	Username string // without a colon
	Password string // any text
}

// Verify implements Verifier.
func (b BasicAuth) Verify(r *Request) (Proof, error) {
	value, err := single(r.Header, "Authorization")
	if err != nil {
		return Proof{}, explain(err, "header Authorization")
	}
	username, password, ok := (&http.Request{Header: http.Header{"Authorization": {value}}}).BasicAuth()
	if !ok {
		return Proof{}, because(ErrBad, "header Authorization holds no basic auth")
	}
	// Both are compared, so that the time does not reveal which one is wrong.
	isUser, isPassword := equal(username, b.Username), equal(password, b.Password)
	switch {
	case isUser && isPassword:
		return Proof{}, nil
	case isPassword:
		return Proof{}, because(ErrBad, "another user name than in `basic_auth`")
	case isUser:
		return Proof{}, because(ErrBad, "another password than in `basic_auth`")
	}
	return Proof{}, because(ErrBad, "another user name and password than in `basic_auth`")
}

// StaticHeader requires a header with a fixed value.
type StaticHeader struct {
	Name  string // in any case
	Value string // the whole of it
}

// Verify implements Verifier.
func (h StaticHeader) Verify(r *Request) (Proof, error) {
	value, err := single(r.Header, h.Name)
	if err != nil {
		return Proof{}, explain(err, "header "+h.Name)
	}
	if !equal(value, h.Value) {
		return Proof{}, because(ErrBad, "header %s has another value than in `header`", h.Name)
	}
	return Proof{}, nil
}

// because returns one of the errors of a Verifier, with the cause in words.
func because(err error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", err, fmt.Sprintf(format, args...))
}

// explain returns the error of single, queryValue or one with the cause in words; place
// names where the value should be.
func explain(err error, place string) error {
	if errors.Is(err, ErrMissing) {
		return because(err, "%s is not there, or empty", place)
	}
	return because(err, "%s is there more than once", place)
}

// single returns the only value of a header. Its errors are without a cause, and cost
// nothing: one place may be empty as long as another one has the value.
func single(header http.Header, name string) (string, error) {
	return one(header[http.CanonicalHeaderKey(name)])
}

// queryValue returns the only value of a query parameter. Pairs that cannot be
// unescaped are skipped, as in net/url.
func queryValue(query, name string) (string, error) {
	if query == "" {
		return "", ErrMissing
	}
	values, _ := url.ParseQuery(query)
	return one(values[name])
}

// one returns the only value. Two values prove nothing: another program could read
// the other one.
func one(values []string) (string, error) {
	switch {
	case len(values) > 1:
		return "", ErrBad
	case len(values) == 0 || values[0] == "":
		return "", ErrMissing
	}
	return values[0], nil
}

// equal compares a presented credential with the right one. The time depends only on
// their lengths.
func equal(presented, want string) bool {
	return subtle.ConstantTimeCompare([]byte(presented), []byte(want)) == 1
}
