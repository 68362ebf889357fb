package webhooks

import (
	"slices"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/ingress"
)

// exposure collects the places of credentials that Caddy's own logs copy: these logs
// take the request before any handler runs, and redact only some headers.
type exposure struct {
	providers []string
	places    ingress.Credentials
}

// add adds the places of a provider, but for the header that Caddy redacts.
func (e *exposure) add(provider string, c ingress.Credentials) {
	isExposed := len(c.Query) > 0
	for _, name := range c.Headers {
		if name != "Authorization" {
			e.places.AddHeader(name)
			isExposed = true
		}
	}
	for _, name := range c.Query {
		e.places.AddQuery(name)
	}
	if isExposed && !slices.Contains(e.providers, provider) {
		e.providers = append(e.providers, provider)
	}
}

// warn logs one line about all places. Whether the loggers have a filter already is
// not visible from here.
func (e *exposure) warn(logger *zap.Logger) {
	if len(e.providers) == 0 {
		return
	}
	fields := []zap.Field{zap.Strings("providers", sorted(e.providers))}
	if len(e.places.Headers) > 0 {
		fields = append(fields, zap.Strings("headers", sorted(e.places.Headers)))
	}
	if len(e.places.Query) > 0 {
		fields = append(fields, zap.Strings("query", sorted(e.places.Query)))
	}
	logger.Named("credentials").Warn("Caddy's access and error logs contain these credentials, unless a log filter removes them; "+
		"the README of the module shows one; when it is in place, exclude the logger webhooks.credentials from the log", fields...)
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }
