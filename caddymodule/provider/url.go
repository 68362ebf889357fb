package provider

import (
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
)

// ReadsURL reports whether the proof, an event or an answer reads the public URL.
func (p *Provider) ReadsURL() bool {
	templates := p.signedContent()
	for _, t := range p.scope.templates {
		templates = append(templates, t.template)
	}
	for _, responders := range p.handshakes {
		for _, r := range responders {
			templates = append(templates, r.answer)
			for _, header := range r.headers {
				templates = append(templates, header)
			}
		}
	}
	return slices.ContainsFunc(templates, func(t template.Template) bool { return t.Has(template.URL) })
}
