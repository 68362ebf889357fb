package verify_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// token makes a JWT without the package's library.
func token(newHash func() hash.Hash, secret, header, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(header)) + "." + encode([]byte(claims))
	return signed + "." + mac(newHash, raw, encode)(secret, signed)
}

func hs256(secret, claims string) string {
	return token(sha256.New, secret, `{"alg":"HS256","typ":"JWT"}`, claims)
}

// messageBird is a scheme with claims of the body and the URL.
var messageBird = verify.JWT{
	Algorithms: []string{"hs256", "hs384", "hs512"}, Places: []verify.Place{{Header: "X-Token"}, {Bearer: true}},
	Claims: []verify.Claim{{Name: "iss", Value: "Acme"}, {Name: "payload_hash", Value: "$hex($sha256($body))"}, {Name: "url_hash", Value: "$hex($sha256($url))"}},
}

// jwtClaims returns right claims of a request of these tests, with others added.
func jwtClaims(body, more string) string {
	sum := func(text string) string {
		s := sha256.Sum256([]byte(text))
		return hex.EncodeToString(s[:])
	}
	return fmt.Sprintf(`{"iss":"Acme","payload_hash":"%s","url_hash":"%s"%s}`, sum(body), sum("https://example.com/hook?x=1"), more)
}

func newJWTVerifier(t testing.TB, scheme verify.JWT, secrets ...string) *verify.JWTVerifier {
	t.Helper()
	v, err := verify.NewJWTVerifier(scheme, secrets, tolerance)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// jwtRequest returns a request with a token in a header.
func jwtRequest(token string) *verify.Request {
	r := newRequest()
	r.URL = "https://example.com/hook?x=1"
	r.Header.Set("X-Token", token)
	return r
}

// TestJWTVector proves the example of RFC 7515, A.1.
func TestJWTVector(t *testing.T) {
	key, err := base64.RawURLEncoding.DecodeString("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
	if err != nil {
		t.Fatal(err)
	}
	v := newJWTVerifier(t, verify.JWT{Algorithms: []string{"hs256"}, Places: []verify.Place{{Bearer: true}}, Claims: []verify.Claim{{Name: "iss", Value: "joe"}}}, "other", string(key))
	r := newRequest()
	r.Time = time.Unix(1300819380, 0)
	r.Header.Set("Authorization", "Bearer eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"+
		".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"+
		".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
	checkProof(t, v, r, verify.Proof{Ordinal: 2})
	r.Time = r.Time.Add(tolerance + 1)
	checkRefused(t, v, r, verify.ErrStale, string(key))
}

func TestJWT(t *testing.T) {
	at := func(d time.Duration) string { return unix(now.Add(d)) }
	right := jwtClaims(payload, `,"iat":`+at(0))
	long := rawSecrets[2]
	for _, test := range []struct {
		name, token string
		want        error
	}{
		{"right", hs256(long, right), nil},
		{"hs384", token(sha512.New384, long, `{"alg":"HS384"}`, right), nil},
		{"hs512", token(sha512.New, long, `{"alg":"HS512"}`, right), nil},
		{"a fraction", hs256(long, jwtClaims(payload, `,"iat":`+at(0)+`.5`)), nil},
		{"exp alone", hs256(long, jwtClaims(payload, `,"exp":`+at(-tolerance))), nil},
		{"exp far away", hs256(long, jwtClaims(payload, `,"exp":`+at(time.Hour))), nil},
		{"nbf", hs256(long, jwtClaims(payload, `,"exp":`+at(0)+`,"nbf":`+at(tolerance))), nil},

		{"another secret", hs256("other", right), verify.ErrBad},
		{"no secret", hs256("", right), verify.ErrBad},
		{"another hash than it says", token(sha512.New, long, `{"alg":"HS256"}`, right), verify.ErrBad},
		{"none", token(sha256.New, long, `{"alg":"none"}`, right), verify.ErrBad},
		{"none, unsigned", strings.TrimRight(token(sha256.New, "", `{"alg":"none"}`, right), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"), verify.ErrBad},
		{"None", token(sha256.New, long, `{"alg":"None"}`, right), verify.ErrBad},
		{"RS256", token(sha256.New, long, `{"alg":"RS256"}`, right), verify.ErrBad},
		{"an unknown algorithm", token(sha256.New, long, `{"alg":"HS1"}`, right), verify.ErrBad},
		{"no algorithm", token(sha256.New, long, `{}`, right), verify.ErrBad},
		{"critical extensions", token(sha256.New, long, `{"alg":"HS256","crit":["b64"],"b64":false}`, right), verify.ErrBad},
		{"two parts", strings.Join(strings.Split(hs256(long, right), ".")[:2], "."), verify.ErrBad},
		{"four parts", hs256(long, right) + ".e30", verify.ErrBad},
		{"padding", hs256(long, right) + "=", verify.ErrBad},
		{"cut off", hs256(long, right)[:80], verify.ErrBad},
		{"claims that are not an object", hs256(long, `[]`), verify.ErrBad},
		{"not a token", megabyte, verify.ErrBad},
		{"longer than 16 KiB", hs256(long, jwtClaims(payload, `,"iat":`+at(0)+`,"more":"`+strings.Repeat("a", 16<<10)+`"`)), verify.ErrBad},

		{"no time", hs256(long, jwtClaims(payload, "")), verify.ErrBad},
		{"nbf alone", hs256(long, jwtClaims(payload, `,"nbf":`+at(0))), verify.ErrBad},
		{"a time as text", hs256(long, jwtClaims(payload, `,"iat":"`+at(0)+`"`)), verify.ErrBad},
		{"null", hs256(long, jwtClaims(payload, `,"iat":null`)), verify.ErrBad},
		{"expired", hs256(long, jwtClaims(payload, `,"exp":`+at(-tolerance-time.Second))), verify.ErrStale},
		{"expired, issued now", hs256(long, jwtClaims(payload, `,"iat":`+at(0)+`,"exp":`+at(-tolerance-time.Second))), verify.ErrStale},
		{"not yet", hs256(long, jwtClaims(payload, `,"exp":`+at(time.Hour)+`,"nbf":`+at(tolerance+time.Second))), verify.ErrStale},
		{"issued long ago", hs256(long, jwtClaims(payload, `,"exp":`+at(time.Hour)+`,"iat":`+at(-tolerance-time.Second))), verify.ErrStale},
		{"issued in the future", hs256(long, jwtClaims(payload, `,"iat":`+at(tolerance+time.Second))), verify.ErrStale},

		{"of another body", hs256(long, jwtClaims(payload+" ", `,"iat":`+at(0))), verify.ErrBad},
		{"of another body, and old", hs256(long, jwtClaims(payload+" ", `,"iat":0`)), verify.ErrBad},
		{"of another issuer", hs256(long, strings.Replace(right, "Acme", "acme", 1)), verify.ErrBad},
		{"without an issuer", hs256(long, strings.Replace(right, `"iss"`, `"ISS"`, 1)), verify.ErrBad},
		{"a claim that is a list", hs256(long, strings.Replace(right, `"Acme"`, `["Acme"]`, 1)), verify.ErrBad},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newJWTVerifier(t, messageBird, "first", long)
			r := jwtRequest(test.token)
			if test.want != nil {
				checkRefused(t, v, r, test.want, long, test.token)
				return
			}
			checkProof(t, v, r, verify.Proof{Ordinal: 2})
			for name, spoil := range map[string]func(){
				"body": func() { r.Body = append([]byte(payload), ' ') },
				"URL":  func() { r.URL += "1" },
			} {
				r = jwtRequest(test.token)
				spoil()
				if _, err := v.Verify(r); !errors.Is(err, verify.ErrBad) {
					t.Errorf("another %s: %v", name, err)
				}
			}
		})
	}
}

// TestJWTEmptyBody shows that a claim of the body may be absent if there is none.
func TestJWTEmptyBody(t *testing.T) {
	claims := jwtClaims("", `,"iat":`+unix(now))
	claims = strings.Replace(claims, "payload_hash", "other", 1)
	v := newJWTVerifier(t, messageBird, "secret")
	r := jwtRequest(hs256("secret", claims))
	r.Body = nil
	checkProof(t, v, r, verify.Proof{Ordinal: 1})
	r.Body = []byte("{}")
	checkRefused(t, v, r, verify.ErrBad, "secret")
}

// TestJWTPlaces shows that any place may hold the token, and what is missing.
func TestJWTPlaces(t *testing.T) {
	v := newJWTVerifier(t, messageBird, "secret")
	right := hs256("secret", jwtClaims(payload, `,"iat":`+unix(now)))
	r := jwtRequest("wrong")
	r.Header.Set("Authorization", "Bearer "+right)
	checkProof(t, v, r, verify.Proof{Ordinal: 1})
	r.Header["X-Token"] = []string{right, right}
	checkProof(t, v, r, verify.Proof{Ordinal: 1})
	r.Header.Del("Authorization")
	checkRefused(t, v, r, verify.ErrBad)
	r.Header.Del("X-Token")
	checkRefused(t, v, r, verify.ErrMissing)
	if _, err := v.Verify(r); err.Error() != "no credential presented: no token in header X-Token or header Authorization" {
		t.Error(err)
	}
}

func TestJWTSign(t *testing.T) {
	for _, body := range []string{payload, ""} {
		r := jwtRequest("")
		r.Body = []byte(body)
		if err := messageBird.Sign(r, "secret"); err != nil {
			t.Fatal(err)
		}
		checkProof(t, newJWTVerifier(t, messageBird, "other", "secret"), r, verify.Proof{Ordinal: 2})
	}
}

func TestJWTErrors(t *testing.T) {
	bearer := []verify.Place{{Bearer: true}}
	hs := []string{"hs256"}
	claim := func(name, value string) verify.JWT {
		return verify.JWT{Algorithms: hs, Places: bearer, Claims: []verify.Claim{{Name: name, Value: value}}}
	}
	twice := claim("a", "b")
	twice.Claims = append(twice.Claims, twice.Claims[0])
	for _, test := range []struct {
		name    string
		scheme  verify.JWT
		secrets []string
	}{
		{"no algorithm", verify.JWT{Places: bearer}, []string{"s"}},
		{"none", verify.JWT{Algorithms: []string{"none"}, Places: bearer}, []string{"s"}},
		{"rs256", verify.JWT{Algorithms: []string{"hs256", "rs256"}, Places: bearer}, []string{"s"}},
		{"no place", verify.JWT{Algorithms: hs}, []string{"s"}},
		{"query", verify.JWT{Algorithms: hs, Places: []verify.Place{{Query: "t"}}}, []string{"s"}},
		{"header", verify.JWT{Algorithms: hs, Places: []verify.Place{{Header: "X_T"}}}, []string{"s"}},
		{"claim of a time", claim("exp", "1"), []string{"s"}},
		{"claim of the timestamp", claim("a", "$timestamp"), []string{"s"}},
		{"claim without a value", claim("a", ""), []string{"s"}},
		{"claim without a name", claim("", "a"), []string{"s"}},
		{"claim that is not a template", claim("a", "$bodies"), []string{"s"}},
		{"claim twice", twice, []string{"s"}},
		{"no secret", claim("a", "b"), nil},
		{"empty secret", claim("a", "b"), []string{"s", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := verify.NewJWTVerifier(test.scheme, test.secrets, tolerance)
			if v != nil {
				t.Error("a verifier")
			}
			checkMessage(t, err)
		})
	}
}

// FuzzJWT looks for a token that proves a request without being signed with the secret,
// and for a refusal that is not one of the package's errors. SIGNED is replaced by a right
// signature of what is before it.
func FuzzJWT(f *testing.F) {
	v := newJWTVerifier(f, messageBird, "secret")
	encode := base64.RawURLEncoding.EncodeToString
	right := encode([]byte(jwtClaims(payload, `,"iat":`+unix(now))))
	for _, header := range []string{`{"alg":"HS256"}`, `{"alg":"none"}`, `{"alg":"HS512","crit":[]}`, `{}`, ``} {
		f.Add(encode([]byte(header)) + "." + right + ".SIGNED")
	}
	f.Add(encode([]byte(`{"alg":"HS256"}`)) + ".e30.SIGNED")
	f.Add("Bearer ...")
	f.Fuzz(func(t *testing.T, presented string) {
		signed, _, isSigned := strings.Cut(presented, ".SIGNED")
		if isSigned {
			presented = signed + "." + mac(sha256.New, raw, encode)("secret", signed)
		}
		proof, err := v.Verify(jwtRequest(presented))
		switch {
		case err != nil && (!isRefusal(err) || proof != (verify.Proof{})):
			t.Errorf("Verify() = %+v, %v", proof, err)
		case err != nil:
		case proof != (verify.Proof{Ordinal: 1}):
			t.Errorf("Verify() = %+v", proof)
		default:
			last := strings.LastIndexByte(presented, '.')
			if presented[last+1:] != mac(sha256.New, raw, encode)("secret", presented[:last]) {
				t.Errorf("%q proves the request", presented)
			}
		}
	})
}
