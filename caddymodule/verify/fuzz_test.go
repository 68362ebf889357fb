package verify_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// isRefusal reports whether err is one of the package's errors, as it is.
func isRefusal(err error) bool {
	return errors.Is(err, verify.ErrMissing) || errors.Is(err, verify.ErrBad) || errors.Is(err, verify.ErrStale)
}

// FuzzSignatureHeader looks for a header that is taken for signed without the
// right signature in it. HEX, BASE64, T and ED in the header are replaced by right
// signatures of the body, so that the search gets beyond the comparison.
func FuzzSignatureHeader(f *testing.F) {
	hexMAC := mac(sha256.New, raw, hex.EncodeToString)
	base64MAC := mac(sha256.New, raw, base64.StdEncoding.EncodeToString)
	const secret = "It's a Secret to Everybody"

	hmac := func(s verify.Signature) *verify.SignatureVerifier {
		s.Algorithm = verify.HMACSHA256
		if s.Places == nil {
			s.Places = inHeader("X-Signature")
		}
		return newVerifier(f, s, secret)
	}
	edwardsVerifier := func(s verify.Signature) *verify.SignatureVerifier {
		s.Algorithm = verify.Ed25519
		if s.Places == nil {
			s.Places = inHeader("X-Signature")
		}
		return newVerifier(f, s, publicHex[0])
	}
	var (
		bare     = hmac(verify.Signature{})
		prefixed = hmac(verify.Signature{Prefix: "sha256="})
		items    = hmac(verify.Signature{Separator: " ", Prefix: "v1,", Encoding: verify.Base64})
		position = hmac(verify.Signature{Separator: ";", Places: []verify.SignaturePlace{{Header: "X-Signature", Item: 2}}})
		stamped  = hmac(verify.Signature{Separator: ",", Prefix: "v1=", Content: "$timestamp.$body", Timestamp: &verify.Timestamp{Prefix: "t="}})
		edHex    = edwardsVerifier(verify.Signature{Separator: ",", Prefix: "ed="})
		edBase64 = edwardsVerifier(verify.Signature{Encoding: verify.Base64})
	)

	for _, value := range []string{
		"", "HEX", "sha256=HEX", "sha1=HEX", "v1,BASE64 v1,x", " v1,x v1,BASE64", "x;HEX;x", "HEX;x",
		"t=1700000000,v1=T", "v1=T,t=1700000000,v1=x", "t=1700000301,v1=T", "t=1,t=1700000000,v1=T", "t=,v1=T",
		"t=99999999999999999999,v1=T", "t=-9223372036854775808,v1=T", "ed=ED,ed=x", "ed=x, ed=ED", "ed=,Ed=ED", "ED", "ED==",
	} {
		f.Add(value, []byte(payload))
	}
	f.Fuzz(func(t *testing.T, value string, body []byte) {
		content := string(body)
		edSignature := edwards(publicHex, hex.EncodeToString)(publicHex[0], content)
		edRaw, err := hex.DecodeString(edSignature)
		if err != nil {
			t.Fatal(err)
		}
		value = strings.NewReplacer(
			"HEX", hexMAC(secret, content),
			"BASE64", base64MAC(secret, content),
			"ED==", base64.StdEncoding.EncodeToString(edRaw),
			"ED", edSignature,
		).Replace(value)
		// A timestamp is signed as it is written.
		if timestamps := itemsBehind(value, ",", "t="); len(timestamps) > 0 {
			value = strings.ReplaceAll(value, "=T", "="+hexMAC(secret, timestamps[0]+"."+content))
		}
		r := newRequest()
		r.Body = body
		r.Header["X-Signature"] = []string{value}

		var proof verify.Proof
		check := func(name string, v verify.Verifier, right bool) {
			t.Helper()
			proof, err = v.Verify(r)
			if err == nil != right {
				t.Errorf("%s: Verify() = %v, want right = %v, of %q", name, err, right, value)
			}
			if err == nil && proof != (verify.Proof{Ordinal: 1}) || err != nil && (!isRefusal(err) || proof != (verify.Proof{})) {
				t.Errorf("%s: Verify() = %+v, %v", name, proof, err)
			}
			if errors.Is(err, verify.ErrStale) {
				t.Errorf("%s: %v without a timestamp", name, err)
			}
		}
		check("bare", bare, value == hexMAC(secret, content))
		check("prefixed", prefixed, value == "sha256="+hexMAC(secret, content))
		check("items", items, slices.Contains(itemsBehind(value, " ", "v1,"), base64MAC(secret, content)))
		second := strings.Split(value, ";")
		check("position", position, len(second) > 1 && len(second) <= verify.MaxItems && strings.TrimSpace(second[1]) == hexMAC(secret, content))
		check("ed25519 hex", edHex, slices.ContainsFunc(itemsBehind(value, ",", "ed="), func(item string) bool {
			return item == edSignature
		}))

		check("ed25519 base64", edBase64, value == base64.StdEncoding.EncodeToString(edRaw))

		// What is fresh is another test's matter: here, no proof and no word
		// about freshness without the right signature.
		proof, err = stamped.Verify(r)
		timestamps := itemsBehind(value, ",", "t=")
		right := len(timestamps) == 1 && timestamps[0] != "" &&
			slices.Contains(itemsBehind(value, ",", "v1="), hexMAC(secret, timestamps[0]+"."+content))
		switch {
		case err == nil && (!right || proof != (verify.Proof{Ordinal: 1})):
			t.Errorf("stamped: Verify() = %+v of %q", proof, value)
		case err != nil && (!isRefusal(err) || proof != (verify.Proof{})):
			t.Errorf("stamped: Verify() = %+v, %v", proof, err)
		case errors.Is(err, verify.ErrStale) && !right:
			t.Errorf("stamped: Verify() = %v without the right signature in %q", err, value)
		case right && timestamps[0] == "1700000000" && err != nil:
			t.Errorf("stamped: Verify() = %v of %q", err, value)
		}
	})
}

// itemsBehind splits value and returns the text behind the prefix in its
// items.
func itemsBehind(value, separator, prefix string) (found []string) {
	if strings.Count(value, separator) >= verify.MaxItems {
		return nil
	}
	for _, item := range strings.Split(value, separator) {
		item = strings.TrimSpace(item)
		if strings.HasPrefix(item, prefix) {
			found = append(found, item[len(prefix):])
		}
	}
	return found
}

// FuzzToken looks for a request that is let through without one of the tokens,
// and for a token that it presents and that is not found.
func FuzzToken(f *testing.F) {
	v := newTokenVerifier(f,
		verify.Place{Bearer: true}, verify.Place{Header: "X-Token"}, verify.Place{Query: "token"}, verify.Place{Body: "token"})
	tokens := []string{oldToken, newToken}

	f.Add("Bearer "+oldToken, "", "", []byte(`{}`))
	f.Add("", newToken, "token=x", []byte(`{"token":"x"}`))
	f.Add("Basic eDp5", "", "a=b&token="+url.QueryEscape(newToken), []byte(``))
	f.Add("", "", "token="+oldToken+"&token="+oldToken, []byte(`{"a":[{"token":"`+oldToken+`"}],"token":"\u0074ok_4f9c1b"}`))
	f.Add("", "", "", []byte(`{"tok\u0065n":"`+oldToken+`"}`))
	f.Add("", "", "", []byte(`{"token":"`+oldToken))
	f.Fuzz(func(t *testing.T, authorization, header, query string, body []byte) {
		r := newRequest()
		r.Header["Authorization"] = []string{authorization}
		r.Header["X-Token"] = []string{header}
		r.Query, r.Body = query, body

		proof, err := v.Verify(r)
		inQuery, _ := url.ParseQuery(query)
		presented := map[string]bool{authorization: true, header: true}
		if scheme, token, ok := strings.Cut(authorization, " "); ok && strings.EqualFold(scheme, "bearer") {
			presented[strings.TrimLeft(token, " ")] = true
		}
		if len(inQuery["token"]) == 1 {
			presented[inQuery["token"][0]] = true
		}
		if err != nil {
			if !isRefusal(err) || errors.Is(err, verify.ErrStale) || proof != (verify.Proof{}) {
				t.Fatalf("Verify() = %+v, %v", proof, err)
			}
			if presented[header] && (header == oldToken || header == newToken) {
				t.Fatalf("Verify() = %v with the header %q", err, header)
			}
			if len(inQuery["token"]) == 1 && slices.Contains(tokens, inQuery["token"][0]) {
				t.Fatalf("Verify() = %v with the query %q", err, query)
			}
			return
		}
		if proof.Ordinal < 1 || proof.Ordinal > len(tokens) || proof.Token != tokens[proof.Ordinal-1] {
			t.Fatalf("Verify() = %+v", proof)
		}
		if !presented[proof.Token] && !bodyPresents(body, proof.Token) {
			t.Fatalf("Verify() = %+v, but nothing presents it", proof)
		}
	})
}

// bodyPresents reports whether the token is a member at the top of a JSON body.
// In a body that is not JSON, and refused after its proof, the text is enough.
func bodyPresents(body []byte, token string) bool {
	if !json.Valid(body) {
		return bytes.Contains(body, []byte(token)) || bytes.ContainsRune(body, '\\')
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return false
	}
	for d.More() {
		name, err := d.Token()
		var value any
		if err != nil || d.Decode(&value) != nil {
			return false
		}
		if name == "token" && value == token {
			return true
		}
	}
	return false
}
