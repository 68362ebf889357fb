package verify_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

func TestSignature(t *testing.T) {
	for i := range schemes {
		s := &schemes[i]
		t.Run(s.name, func(t *testing.T) {
			v := s.verifier(t)
			for n, secret := range s.secrets[:2] {
				for _, body := range []string{payload, "", "\x00\xff", strings.Repeat(payload, 2000)} {
					r := newRequest()
					r.Body = []byte(body)
					s.put(r, secret, now)
					checkProof(t, v, r, verify.Proof{Ordinal: n + 1})
				}
			}
		})
	}
}

func TestSignatureRefused(t *testing.T) {
	// Each spoils a signed request in one way. It returns false where there is
	// nothing to spoil.
	spoilers := []struct {
		name  string
		spoil func(r *verify.Request, s *scheme, signature string) bool
		want  error
	}{
		{"missing", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Del(s.header())
			return true
		}, verify.ErrMissing},
		{"empty", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Set(s.header(), "")
			return true
		}, verify.ErrMissing},
		{"nothing but what stands around", func(r *verify.Request, s *scheme, signature string) bool {
			rest := strings.Replace(r.Header.Get(s.header()), signature, "", 1)
			r.Header.Set(s.header(), rest)
			return rest != ""
		}, verify.ErrBad},
		{"without what stands around", func(r *verify.Request, s *scheme, signature string) bool {
			t := s.spec.Timestamp
			r.Header.Set(s.header(), signature)
			return s.spec.Prefix != "" && (t == nil || t.Header != "")
		}, verify.ErrBad},
		{"doubled", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Add(s.header(), r.Header.Get(s.header()))
			return true
		}, verify.ErrBad},
		{"doubled, the wrong one last", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Add(s.header(), "x")
			return true
		}, verify.ErrBad},
		{"truncated at the end", replace(func(signature string) string { return signature[:len(signature)-1] }), verify.ErrBad},
		{"truncated at the start", replace(func(signature string) string { return signature[1:] }), verify.ErrBad},
		{"half", replace(func(signature string) string { return signature[:len(signature)/2] }), verify.ErrBad},
		{"longer", replace(func(signature string) string { return signature + "0" }), verify.ErrBad},
		{"twice", replace(func(signature string) string { return signature + signature }), verify.ErrBad},
		{"over-long", replace(func(string) string { return megabyte }), verify.ErrBad},
		{"over-long behind the right one", replace(func(signature string) string { return signature + megabyte }), verify.ErrBad},
		{"first character changed", replace(func(signature string) string {
			if signature[0] == '0' {
				return "1" + signature[1:]
			}
			return "0" + signature[1:]
		}), verify.ErrBad},
		{"in upper case", replace(strings.ToUpper), verify.ErrBad},
		{"zeros", replace(func(signature string) string { return strings.Repeat("0", len(signature)) }), verify.ErrBad},
		{"base64 without padding", func(r *verify.Request, s *scheme, signature string) bool {
			return replace(func(signature string) string { return strings.TrimRight(signature, "=") })(r, s, signature) &&
				strings.HasSuffix(signature, "=")
		}, verify.ErrBad},
		{"the stranger's", func(r *verify.Request, s *scheme, _ string) bool {
			s.put(r, s.secrets[2], now)
			return true
		}, verify.ErrBad},
		{"of another body", func(r *verify.Request, _ *scheme, _ string) bool {
			r.Body = append([]byte(payload), ' ')
			return true
		}, verify.ErrBad},
		{"of a body, none sent", func(r *verify.Request, _ *scheme, _ string) bool {
			r.Body = nil
			return true
		}, verify.ErrBad},
		{"in a header of another name", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Set("X-Other", r.Header.Get(s.header()))
			r.Header.Del(s.header())
			return true
		}, verify.ErrMissing},
		{"of another method", func(r *verify.Request, s *scheme, _ string) bool {
			r.Method = http.MethodPut
			return strings.Contains(s.spec.Content, "$method")
		}, verify.ErrBad},
		{"of another URI", func(r *verify.Request, s *scheme, _ string) bool {
			r.URI = "/hooks/acme?x=1&y=/"
			return strings.Contains(s.spec.Content, "$uri")
		}, verify.ErrBad},
		{"of another id", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Set("Webhook-Id", "msg_2")
			return strings.Contains(s.spec.Content, "$header")
		}, verify.ErrBad},
		{"of an id, none sent", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Del("Webhook-Id")
			return strings.Contains(s.spec.Content, "$header")
		}, verify.ErrBad},
		{"of another timestamp", func(r *verify.Request, s *scheme, signature string) bool {
			if s.stamp == nil {
				return false
			}
			timestamp := s.stamp(now.Add(time.Second))
			if s.spec.Timestamp.Header != "" {
				r.Header.Set(s.spec.Timestamp.Header, timestamp)
			} else {
				r.Header.Set(s.header(), s.layOut(signature, timestamp))
			}
			return true
		}, verify.ErrBad},
		{"timestamp missing", func(r *verify.Request, s *scheme, _ string) bool {
			if s.stamp == nil || s.spec.Timestamp.Header == "" {
				return false
			}
			r.Header.Del(s.spec.Timestamp.Header)
			return true
		}, verify.ErrMissing},
		{"timestamp empty", func(r *verify.Request, s *scheme, _ string) bool {
			if s.stamp == nil {
				return false
			}
			s.putStamp(r, s.secrets[0], "")
			return true
		}, verify.ErrMissing},
		{"timestamp doubled", func(r *verify.Request, s *scheme, _ string) bool {
			if s.stamp == nil || s.spec.Timestamp.Header == "" {
				return false
			}
			r.Header.Add(s.spec.Timestamp.Header, s.stamp(now))
			return true
		}, verify.ErrBad},
	}
	for i := range schemes {
		s := &schemes[i]
		t.Run(s.name, func(t *testing.T) {
			v := s.verifier(t)
			for _, spoiler := range spoilers {
				r := newRequest()
				signature := s.put(r, s.secrets[0], now)
				if !spoiler.spoil(r, s, signature) {
					continue
				}
				t.Run(spoiler.name, func(t *testing.T) {
					checkRefused(t, v, r, spoiler.want, append(s.secrets[:], signature)...)
				})
			}
			// The verifier is as good as new after all of that.
			r := newRequest()
			s.put(r, s.secrets[1], now)
			checkProof(t, v, r, verify.Proof{Ordinal: 2})
		})
	}
}

// replace spoils the signature, and leaves the text around it.
func replace(change func(signature string) string) func(*verify.Request, *scheme, string) bool {
	return func(r *verify.Request, s *scheme, signature string) bool {
		value := strings.Replace(r.Header.Get(s.header()), signature, change(signature), 1)
		r.Header.Set(s.header(), value)
		return true
	}
}

// An empty key is what an unset variable leaves behind: a MAC made with it must
// not be right under any key.
func TestSignatureWithEmptyKeyIsRefused(t *testing.T) {
	for i := range schemes {
		s := &schemes[i]
		if s.spec.Algorithm == verify.Ed25519 {
			continue
		}
		r := newRequest()
		s.put(r, "", now)
		checkRefused(t, s.verifier(t), r, verify.ErrBad, s.secrets[:]...)
	}
}

// One header may hold several signatures: of a rotation at the provider, or of
// several versions.
func TestSignatureItems(t *testing.T) {
	sign := mac(sha256.New, raw, hex.EncodeToString)
	stamped := unix(now) + "." + payload
	right, rotated, wrong := sign(rawSecrets[0], stamped), sign(rawSecrets[1], stamped), sign(rawSecrets[2], stamped)
	stale := unix(now.Add(-tolerance - time.Second))

	stripe := verify.Signature{
		Algorithm: verify.HMACSHA256, Places: inHeader("X-Signature"), Separator: ",", Prefix: "v1=",
		Content: "$timestamp.$body", Timestamp: &verify.Timestamp{Prefix: "t="},
	}
	position := stripe
	position.Places = []verify.SignaturePlace{{Header: "X-Signature", Item: 2}}
	position.Prefix, position.Timestamp = "", &verify.Timestamp{Item: 1}
	every := stripe
	every.Prefix = ""

	for _, test := range []struct {
		name    string
		spec    verify.Signature
		value   string
		ordinal int
		err     error
	}{
		{"one", stripe, "t=1700000000,v1=" + right, 1, nil},
		{"in another order", stripe, "v1=" + right + ",t=1700000000", 1, nil},
		{"spaces around", stripe, " t=1700000000 , v1=" + right + " ", 1, nil},
		{"unknown items beside", stripe, "t=1700000000,v0=" + wrong + ",v1=" + right + ",,x", 1, nil},
		{"the wrong one first", stripe, "t=1700000000,v1=" + wrong + ",v1=" + right, 1, nil},
		{"the right one first", stripe, "t=1700000000,v1=" + right + ",v1=" + wrong, 1, nil},
		{"of the second secret", stripe, "t=1700000000,v1=" + wrong + ",v1=" + rotated, 2, nil},
		{"of both secrets", stripe, "t=1700000000,v1=" + rotated + ",v1=" + right, 1, nil},
		{"wrong ones only", stripe, "t=1700000000,v1=" + wrong + ",v1=" + wrong, 0, verify.ErrBad},
		{"of another version", stripe, "t=1700000000,v0=" + right, 0, verify.ErrBad},
		{"prefix in another case", stripe, "t=1700000000,V1=" + right, 0, verify.ErrBad},
		{"space behind the prefix", stripe, "t=1700000000,v1= " + right, 0, verify.ErrBad},
		{"another separator", stripe, "t=1700000000;v1=" + right, 0, verify.ErrBad},
		{"separators only", stripe, ",,,", 0, verify.ErrMissing},
		{"no timestamp", stripe, "v1=" + right, 0, verify.ErrMissing},
		{"two timestamps", stripe, "t=1700000000,t=1700000000,v1=" + right, 0, verify.ErrBad},
		{"two timestamps, one empty", stripe, "t=1700000000,t=,v1=" + right, 0, verify.ErrBad},
		{"two timestamps, one stale", stripe, "t=" + stale + ",t=1700000000,v1=" + right, 0, verify.ErrBad},
		{"as many items as allowed", stripe, "t=1700000000" + strings.Repeat(",", verify.MaxItems-1) + "v1=" + right, 1, nil},
		{"one item more", stripe, "t=1700000000" + strings.Repeat(",", verify.MaxItems) + "v1=" + right, 0, verify.ErrBad},
		{"a megabyte of separators", stripe, "t=1700000000" + strings.Repeat(",", 1<<20) + "v1=" + right, 0, verify.ErrBad},
		{"a megabyte of wrong ones", stripe, "t=1700000000" + strings.Repeat(",v1="+wrong, 1<<20/len(wrong)), 0, verify.ErrBad},

		{"by position", position, "1700000000," + right, 1, nil},
		{"by position, more behind", position, "1700000000, " + right + ",x", 1, nil},
		{"by position, swapped", position, right + ",1700000000", 0, verify.ErrBad},
		{"by position, one too far", position, "1700000000,x," + right, 0, verify.ErrBad},
		{"by position, too few", position, "1700000000", 0, verify.ErrBad},
		{"by position, no timestamp", position, "," + right, 0, verify.ErrMissing},

		{"any item", every, "t=1700000000,x," + right, 1, nil},
		{"any item, with a prefix", every, "t=1700000000,v1=" + right, 0, verify.ErrBad},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVerifier(t, test.spec, rawSecrets[:2]...)
			r := newRequest()
			r.Header["X-Signature"] = []string{test.value}
			if test.err != nil {
				checkRefused(t, v, r, test.err, append(rawSecrets[:], right)...)
				return
			}
			checkProof(t, v, r, verify.Proof{Ordinal: test.ordinal})
		})
	}
}

// A header in the content that did not arrive counts as empty.
func TestSignatureContentHeaders(t *testing.T) {
	sign := mac(sha256.New, raw, hex.EncodeToString)
	v := newVerifier(t, verify.Signature{Algorithm: verify.HMACSHA256, Places: inHeader("X-Signature"), Content: "$header(x-a)|$header(X-B)$body$body"}, "secret")
	for _, test := range []struct {
		name    string
		a, b    []string
		content string
	}{
		{"both", []string{"1"}, []string{"2"}, "1|2" + payload + payload},
		{"one", nil, []string{"2"}, "|2" + payload + payload},
		{"none", nil, nil, "|" + payload + payload},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRequest()
			r.Header["X-A"], r.Header["X-B"] = test.a, test.b
			r.Header["X-Signature"] = []string{sign("secret", test.content)}
			checkProof(t, v, r, verify.Proof{Ordinal: 1})
			r.Header["X-A"] = []string{"3"}
			checkRefused(t, v, r, verify.ErrBad, "secret")
		})
	}
}

// An Ed25519 signature is decoded, so its spelling must be the only one: unused
// bits in the last character of base64 must be zero.
func TestSignatureBase64IsStrict(t *testing.T) {
	spec := verify.Signature{Algorithm: verify.Ed25519, Places: inHeader("X-Signature"), Encoding: verify.Base64}
	v := newVerifier(t, spec, publicHex[0])
	signature := edwards(publicHex, base64.StdEncoding.EncodeToString)(publicHex[0], payload)
	r := newRequest()
	r.Header["X-Signature"] = []string{signature}
	checkProof(t, v, r, verify.Proof{Ordinal: 1})

	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	last := len(signature) - len("==") - 1
	other := alphabet[strings.IndexByte(alphabet, signature[last])+1]
	r.Header["X-Signature"] = []string{signature[:last] + string(other) + "=="}
	if loose, err := base64.StdEncoding.DecodeString(r.Header["X-Signature"][0]); err != nil || !ed25519.Verify(privateKeys[0].Public().(ed25519.PublicKey), []byte(payload), loose) {
		t.Fatal("the test does not spell the same signature in another way")
	}
	checkRefused(t, v, r, verify.ErrBad)
}

// Secrets may be configured with the prefix of their kind or without.
func TestSignatureKeyPrefix(t *testing.T) {
	s := schemeOf(standardWebhooks)
	bare, prefixed := strings.TrimPrefix(s.secrets[0], "whsec_"), s.secrets[0]
	r := newRequest()
	s.put(r, prefixed, now)
	for _, configured := range []string{bare, prefixed} {
		checkProof(t, newVerifier(t, s.spec, s.secrets[2], configured), r, verify.Proof{Ordinal: 2})
	}
}

// One verifier serves all requests of a site.
func TestSignatureConcurrently(t *testing.T) {
	for i := range schemes {
		s := &schemes[i]
		v := s.verifier(t)
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for n := range 10 {
					r := newRequest()
					r.Body = []byte(strings.Repeat("x", worker*100+n))
					s.put(r, s.secrets[worker%3], now)
					proof, err := v.Verify(r)
					if ok := worker%3 < 2; ok != (err == nil) || ok && proof.Ordinal != worker%3+1 {
						t.Errorf("%s: Verify() = %+v, %v", s.name, proof, err)
					}
				}
			})
		}
		wg.Wait()
	}
}
