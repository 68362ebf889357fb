package webhooks

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/ingress"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// credentials are a handler's, with placeholders resolved.
type credentials struct {
	secrets, publicKeys, tokens, signing []string
	basicAuth                            []string // a user name and a password, or nothing
	headers                              []string // the values
	url                                  string   // "" for that of each request
}

// resolveCredentials resolves the placeholders, and warns about values that look
// mistaken.
func (h *Handler) resolveCredentials() (c credentials, err error) {
	var basicAuth, headers []string
	if h.BasicAuth != nil {
		basicAuth = []string{h.BasicAuth.Username, h.BasicAuth.Password}
	}
	for _, header := range h.Headers {
		headers = append(headers, header.Value)
	}
	for _, word := range []struct {
		name   string
		values []string
		to     *[]string
	}{
		{"secret", h.Secrets, &c.secrets},
		{"public_key", h.PublicKeys, &c.publicKeys},
		{"token", h.Tokens, &c.tokens},
		{"basic_auth", basicAuth, &c.basicAuth},
		{"header", headers, &c.headers},
		{"sign", h.SigningKeys, &c.signing},
	} {
		if *word.to, err = resolveAll(word.name, word.values); err != nil {
			return c, err
		}
		// A mistaken public key does not load, and a PEM ends with a line end.
		if word.to != &c.publicKeys {
			warnOfMistakes(h.logger, h.Provider, word.name, word.values, *word.to)
		}
	}
	c.url, err = h.resolveURL()
	return c, err
}

// resolveURL returns the public URL of the handler, "" if it is not configured.
func (h *Handler) resolveURL() (string, error) {
	if h.URL == "" {
		return "", nil
	}
	resolved, err := Resolve("url", h.URL)
	if err != nil {
		return "", err
	}
	return resolved, checkURL(resolved)
}

// provisionProof makes the verifiers.
func (h *Handler) provisionProof(c credentials) error {
	if h.Unverified {
		return h.provisionChallengers(nil)
	}
	var all verify.All
	spec := h.provider.Spec().Verify
	if spec.Signature != nil {
		word, keys := "secret", c.secrets
		if spec.Signature.HasPublicKey() {
			word, keys = "public_key", c.publicKeys
		}
		v, err := verify.NewSignatureVerifier(*spec.Signature, keys, time.Duration(h.Tolerance))
		if err != nil {
			return wrong(word, "%w", err)
		}
		all = append(all, v)
		h.receiver.Sign = v.MAC
	}
	if spec.JWT != nil {
		v, err := verify.NewJWTVerifier(*spec.JWT, c.secrets, time.Duration(h.Tolerance))
		if err != nil {
			return wrong("secret", "%w", err)
		}
		all = append(all, v)
	}
	if spec.Token != nil {
		v, err := verify.NewTokenVerifier(*spec.Token, c.tokens)
		if err != nil {
			return wrong("token", "%w", err)
		}
		all = append(all, v)
	}
	// Basic auth and headers are required in addition, once they are configured.
	if len(c.basicAuth) > 0 {
		all = append(all, verify.BasicAuth{Username: c.basicAuth[0], Password: c.basicAuth[1]})
	}
	for i, header := range h.Headers {
		all = append(all, verify.StaticHeader{Name: header.Name, Value: c.headers[i]})
	}
	h.receiver.Verifier = all
	return h.provisionChallengers(c.tokens)
}

// provisionChallengers makes the verifiers of handshakes that a token proves.
func (h *Handler) provisionChallengers(tokens []string) error {
	h.receiver.Challengers = make(map[string]verify.Verifier)
	for _, handshake := range h.provider.Spec().Handshakes {
		switch parameter := handshake.Token; {
		case parameter == "":
		case h.Unverified:
			h.receiver.Challengers[parameter] = verify.All{}
		default:
			v, err := verify.NewTokenVerifier(verify.Token{Places: []verify.Place{{Query: parameter}}}, tokens)
			if err != nil {
				return wrong("token", "%w", err)
			}
			h.receiver.Challengers[parameter] = v
		}
	}
	return nil
}

// credentialPlaces returns every place of the provider's credentials, used or not.
func (h *Handler) credentialPlaces() ingress.Credentials {
	var c ingress.Credentials
	spec := h.provider.Spec()
	for _, place := range spec.Verify.Places() {
		switch {
		case place.Bearer:
			c.AddHeader("Authorization")
		case place.Header != "":
			c.AddHeader(place.Header)
		case place.Query != "":
			c.AddQuery(place.Query)
		}
	}
	for _, handshake := range spec.Handshakes {
		if handshake.Token != "" {
			c.AddQuery(handshake.Token)
		}
	}
	if h.BasicAuth != nil {
		c.AddHeader("Authorization")
	}
	for _, header := range h.Headers {
		c.AddHeader(header.Name)
	}
	return c
}
