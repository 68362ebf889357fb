package provider

import "strings"

// Needs lists what a `webhooks` block needs to verify a provider's requests.
type Needs struct {
	// Secret, PublicKey, Token and BasicAuth report whether the block needs this credential.
	Secret, PublicKey, Token, BasicAuth bool

	// Timestamp reports whether requests have a signed timestamp, so that
	// `tolerance` has an effect.
	Timestamp bool
}

// String lists the words of the credentials, as in "`token` and `basic_auth`".
func (n Needs) String() string {
	var words []string
	for _, need := range []struct {
		needed bool
		word   string
	}{{n.Secret, "`secret`"}, {n.PublicKey, "`public_key`"}, {n.Token, "`token`"}, {n.BasicAuth, "`basic_auth`"}} {
		if need.needed {
			words = append(words, need.word)
		}
	}
	return strings.Join(words, " and ")
}

// Needs returns what a block needs for the provider's requests and handshakes.
func (p *Provider) Needs() Needs {
	v := p.spec.Verify
	needs := Needs{
		Secret:    v.JWT != nil || v.Signature != nil && !v.Signature.HasPublicKey(),
		PublicKey: v.Signature != nil && v.Signature.HasPublicKey(),
		Token:     v.Token != nil,
		BasicAuth: v.Basic,
		Timestamp: v.JWT != nil || v.Signature != nil && v.Signature.Timestamp != nil,
	}
	for _, h := range p.spec.Handshakes {
		needs.Token = needs.Token || h.Token != ""
	}
	return needs
}
