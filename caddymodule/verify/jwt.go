package verify

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
)

// jwtAlgorithms are the algorithms of JSON Web Tokens that a secret signs (RFC 7518).
var jwtAlgorithms = map[string]*jwt.SigningMethodHMAC{
	"hs256": jwt.SigningMethodHS256,
	"hs384": jwt.SigningMethodHS384,
	"hs512": jwt.SigningMethodHS512,
}

// maxJWT is the size of the longest token, in bytes. Its claims are parsed before its
// signature is checked.
const maxJWT = 16 << 10

// JWT describes how a provider presents a JSON Web Token (RFC 7519) that it signs with a
// shared secret. Its times `exp`, `nbf` and `iat` are checked if they are there, and one of
// `exp` and `iat` must be.
type JWT struct {
	// The algorithms that the provider may use: `hs256`, `hs384` and `hs512`.
	Algorithms []string `json:"algorithms"`

	// The places where the token may be: headers, or Bearer.
	Places []Place `json:"places"`

	// The claims that must be there. Without one of the body, the token proves nothing
	// about it.
	Claims []Claim `json:"claims,omitempty"`
}

// Claim is a claim with a text that the request determines.
type Claim struct {
	// The name of the claim.
	Name string `json:"name"`

	// The template of its value. One with `$body` is not checked for an empty body.
	Value string `json:"value"`
}

// Validate checks the scheme. The error says what to write instead.
func (t JWT) Validate() error {
	if len(t.Algorithms) == 0 {
		return errors.New("the algorithm is missing; use hs256, hs384 or hs512")
	}
	for _, name := range t.Algorithms {
		if jwtAlgorithms[name] == nil {
			return fmt.Errorf("unknown algorithm %q; use hs256, hs384 or hs512", name)
		}
	}
	if len(t.Places) == 0 {
		return errors.New(`"from" is required; use bearer or header <name>`)
	}
	for _, place := range t.Places {
		if place.Query != "" || place.Body != "" {
			return errors.New("a JWT is in a header; use bearer or header <name>")
		}
		if err := place.Validate(); err != nil {
			return err
		}
	}
	_, err := newClaims(t.Claims)
	return err
}

// claim is a compiled Claim.
type claim struct {
	name  string
	value content
}

func newClaims(claims []Claim) ([]claim, error) {
	var compiled []claim
	for _, c := range claims {
		value, err := newContent("claim "+c.Name, c.Value)
		switch {
		case err != nil:
			return nil, err
		case c.Name == "" || c.Value == "":
			return nil, errors.New("a claim needs a name and a value")
		case slices.Contains([]string{"exp", "nbf", "iat"}, c.Name):
			return nil, fmt.Errorf("claim %s: its time is checked anyway; remove it", c.Name)
		case value.has(template.Timestamp):
			return nil, fmt.Errorf("claim %s: $timestamp is only for signatures; the times of a token are checked anyway", c.Name)
		case slices.ContainsFunc(compiled, func(other claim) bool { return other.name == c.Name }):
			return nil, fmt.Errorf("duplicate claim %s; remove one", c.Name)
		}
		compiled = append(compiled, claim{c.Name, value})
	}
	return compiled, nil
}

// JWTVerifier proves that a request presents a token signed with one of the secrets.
type JWTVerifier struct {
	places    []tokenPlace
	names     string // of the algorithms
	claims    []claim
	secrets   []string
	tolerance time.Duration
	parser    *jwt.Parser
}

// NewJWTVerifier returns a verifier for tokens of the scheme t. Several secrets are for
// rotation: any may match. The tolerance is for the clocks, and the maximum age of a token
// that says when it was issued.
func NewJWTVerifier(t JWT, secrets []string, tolerance time.Duration) (*JWTVerifier, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if len(secrets) == 0 {
		return nil, errors.New("a secret is required")
	}
	if slices.Contains(secrets, "") {
		return nil, errors.New("a secret is empty")
	}
	places, err := newTokenPlaces(t.Places)
	if err != nil {
		return nil, err
	}
	claims, err := newClaims(t.Claims)
	if err != nil {
		return nil, err
	}
	var methods []string
	for _, name := range t.Algorithms {
		methods = append(methods, jwtAlgorithms[name].Alg())
	}
	return &JWTVerifier{
		places: places, names: strings.Join(methods, " or "), claims: claims, secrets: secrets, tolerance: tolerance,
		// The times are checked below: against the time of the request, and with words for
		// the journal.
		parser: jwt.NewParser(jwt.WithValidMethods(methods), jwt.WithStrictDecoding(), jwt.WithJSONNumber(), jwt.WithoutClaimsValidation()),
	}, nil
}

// Verify implements Verifier.
func (v *JWTVerifier) Verify(r *Request) (Proof, error) {
	var refusal error
	for i := range v.places {
		place := &v.places[i]
		token, err := place.read(r)
		switch {
		case errors.Is(err, ErrMissing):
			continue
		case err != nil:
			refusal = closest(refusal, explain(err, place.String()))
			continue
		}
		n, err := v.check(r, place, token)
		if err == nil {
			return Proof{Ordinal: n}, nil
		}
		refusal = closest(refusal, err)
	}
	if refusal == nil {
		refusal = because(ErrMissing, "no token in %s", placeNames(v.places))
	}
	return Proof{}, refusal
}

// check returns the position, from 1, of the secret that signed the token.
func (v *JWTVerifier) check(r *Request, place *tokenPlace, token string) (int, error) {
	if len(token) > maxJWT {
		return 0, because(ErrBad, "the token in %s has more than %d bytes", place, maxJWT)
	}
	for i, secret := range v.secrets {
		claims := make(jwt.MapClaims)
		parsed, err := v.parser.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return []byte(secret), nil })
		switch {
		case errors.Is(err, jwt.ErrTokenUnverifiable), errors.Is(err, jwt.ErrTokenSignatureInvalid) && !v.isAllowed(parsed):
			return 0, because(ErrBad, "the token in %s is not signed with %s", place, v.names)
		case errors.Is(err, jwt.ErrTokenSignatureInvalid):
			continue
		case err != nil:
			return 0, because(ErrBad, "%s holds no JWT", place)
		}
		if _, isCritical := parsed.Header["crit"]; isCritical {
			return 0, because(ErrBad, "the token in %s has critical extensions, which are not understood (RFC 7515, 4.1.11)", place)
		}
		// The times last, so that ErrStale is only returned for a right token.
		if err := v.checkClaims(claims, r); err != nil {
			return 0, err
		}
		return i + 1, v.checkTimes(claims, r.Time)
	}
	return 0, because(ErrBad, "the token in %s is well-formed, but not signed with %s; compare the keys", place, keyNames(len(v.secrets)))
}

// isAllowed reports whether a token says that it is signed with one of the algorithms.
func (v *JWTVerifier) isAllowed(token *jwt.Token) bool {
	return slices.Contains(strings.Split(v.names, " or "), token.Method.Alg())
}

// checkTimes checks the times of a token that is signed rightly.
func (v *JWTVerifier) checkTimes(claims jwt.MapClaims, now time.Time) error {
	expires, expErr := claims.GetExpirationTime()
	begins, nbfErr := claims.GetNotBefore()
	issued, iatErr := claims.GetIssuedAt()
	switch {
	case expErr != nil, nbfErr != nil, iatErr != nil:
		return because(ErrBad, "a time in the token is not a number of seconds")
	case expires == nil && issued == nil:
		return because(ErrBad, "the token never expires: it has neither exp nor iat")
	case expires != nil && now.Sub(expires.Time) > v.tolerance:
		return because(ErrStale, "the token expired %s ago, and `tolerance` is %s", now.Sub(expires.Time).Truncate(time.Second), v.tolerance)
	case begins != nil && begins.Sub(now) > v.tolerance:
		return because(ErrStale, "the token is valid in %s only, and `tolerance` is %s; compare the clocks", begins.Sub(now).Truncate(time.Second), v.tolerance)
	case issued != nil:
		return checkAge("the token", issued.Time, now, v.tolerance)
	}
	return nil
}

// checkClaims compares the claims with the request.
func (v *JWTVerifier) checkClaims(claims jwt.MapClaims, r *Request) error {
	for _, c := range v.claims {
		if len(r.Body) == 0 && c.value.has(template.Body) {
			continue
		}
		want, err := c.value.value(subject{Request: r})
		if err != nil {
			return because(ErrBad, "the request lacks a part of what claim %s is of", c.name)
		}
		got, ok := claims[c.name].(string)
		switch {
		case !ok:
			return because(ErrBad, "the token has no claim %s that is a string", c.name)
		case !equal(got, want):
			return because(ErrBad, "claim %s of the token is not that of this request; check that nothing changes body and URL on their way", c.name)
		}
	}
	return nil
}

// Sign presents a token in r that the provider could have signed, with one secret, at
// r.Time. It is for samples and tests.
func (t JWT) Sign(r *Request, secret string) error {
	v, err := NewJWTVerifier(t, []string{secret}, DefaultTolerance)
	if err != nil {
		return err
	}
	claims := jwt.MapClaims{"iat": r.Time.Unix(), "exp": r.Time.Add(DefaultTolerance).Unix()}
	for _, c := range v.claims {
		if len(r.Body) == 0 && c.value.has(template.Body) {
			continue
		}
		if claims[c.name], err = c.value.value(subject{Request: r}); err != nil {
			return fmt.Errorf("claim %s: %w", c.name, err)
		}
	}
	token, err := jwt.NewWithClaims(jwtAlgorithms[t.Algorithms[0]], claims).SignedString([]byte(secret))
	if err != nil {
		return err
	}
	t.Places[0].Present(&http.Request{Header: r.Header}, token)
	return nil
}
