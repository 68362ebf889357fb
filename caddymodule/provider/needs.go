package provider

import "strings"

// Needs is what a block must know to prove a provider's requests.
type Needs struct {
	// Secret, Token and BasicAuth say which credentials are required.
	Secret, Token, BasicAuth bool

	// Timestamp says that a signed timestamp is checked.
	Timestamp bool
}

// String lists the words of the required credentials.
func (n Needs) String() string {
	var words []string
	for _, need := range []struct {
		needed bool
		word   string
	}{{n.Secret, "`secret`"}, {n.Token, "`token`"}, {n.BasicAuth, "`basic_auth`"}} {
		if need.needed {
			words = append(words, need.word)
		}
	}
	return strings.Join(words, " and ")
}

// Needs returns the credentials that the provider's proof and challenge need.
func (p *Provider) Needs() Needs {
	v := p.spec.Verify
	needs := Needs{
		Secret:    v.Signature != nil,
		Token:     v.Token != nil,
		BasicAuth: v.Basic,
		Timestamp: v.Signature != nil && v.Signature.Timestamp != nil,
	}
	for _, h := range p.spec.Handshakes {
		needs.Token = needs.Token || h.Query != ""
	}
	return needs
}
