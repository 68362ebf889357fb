package command

import (
	"fmt"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/sample"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

// makeHandler makes the handler that the request goes through: the provider's block in
// --config, or one of its own. It forwards each event, forgets it, and signs nothing.
func (e *explanation) makeHandler(fl caddycmd.Flags) error {
	h, err := e.findBlock(fl)
	if err != nil {
		return err
	}
	e.handler = h
	e.destinations = h.Destinations
	h.Destinations, h.Subscribe, h.SigningKeys = nil, nil, nil
	h.Dedup = &webhooks.Dedup{Off: true}
	if h.MaxBody == 0 {
		h.MaxBody = max(int64(len(e.recorded.Body)), webhooks.DefaultMaxBody)
	}
	if len(e.destinations) > 0 {
		h.Format = "" // destinations are shown for each event
	}
	if format := fl.String("format"); format != "" {
		h.Format = format
	}
	if err = e.readURL(fl); err != nil {
		return err
	}
	return e.expect(fl)
}

// readURL sets the public URL: that of --url, or of the block.
func (e *explanation) readURL(fl caddycmd.Flags) error {
	public, err := readURL(fl, e.provider)
	if err != nil {
		return err
	}
	if public != "" {
		e.handler.URL, e.public = caddyLiteral.Replace(public), public
	} else if e.handler.URL != "" {
		e.public, err = webhooks.Resolve("url", e.handler.URL)
	}
	return err
}

// caddyLiteral escapes the braces of a text that Caddy replaces placeholders in.
var caddyLiteral = strings.NewReplacer("{", `\{`, "}", `\}`)

// checkKey refuses a key of the wrong kind.
func (e *explanation) checkKey(secret, publicKey string) error {
	switch needs := e.provider.Needs(); {
	case secret != "" && needs.PublicKey:
		return fmt.Errorf("%s signs with a private key, which the gateway does not have; pass the public key with --public-key instead of --secret", e.provider.Name())
	case publicKey != "" && !needs.PublicKey:
		return fmt.Errorf("--public-key has no effect: the block of %s takes %s; remove it", e.provider.Name(), needs)
	}
	return nil
}

// findBlock returns the provider's block in --config, or one without any settings. A
// block with another source than --source is not meant.
func (e *explanation) findBlock(fl caddycmd.Flags) (*webhooks.Handler, error) {
	name, source := e.provider.Name(), fl.String("source")
	none := &webhooks.Handler{Provider: name, Source: source}
	if fl.String("config") == "" {
		return none, nil
	}
	config, _, _, err := caddycmd.LoadConfig(fl.String("config"), fl.String("adapter"))
	if err != nil {
		return nil, err
	}
	all, err := handlersIn(config)
	if err != nil {
		return nil, err
	}
	var found *webhooks.Handler
	var sources []string
	for _, h := range all {
		if h.Provider != name {
			continue
		}
		if err = h.Complete(e.provider); err != nil {
			return nil, err
		}
		sources = appendNew(sources, h.Source)
		if source == "" || h.Source == source {
			found = h
		}
	}
	switch {
	case len(sources) == 0:
		return none, nil
	case found == nil:
		return nil, fmt.Errorf("--config has no block of %s with the source %s; it has %s", name, source, strings.Join(sources, ", "))
	case source == "" && len(sources) > 1:
		return nil, fmt.Errorf("--config has %d blocks of %s; select one with --source: %s", len(sources), name, strings.Join(sources, ", "))
	}
	return found, nil
}

// expect makes the handler check the credentials of the flags or, if there are none,
// those of its block: but only for a request that can hold them, unlike a body alone.
func (e *explanation) expect(fl caddycmd.Flags) error {
	h, creds := e.handler, readCredentials(fl)
	if err := e.checkKey(creds.Secret, fl.String("public-key")); err != nil {
		return err
	}
	if creds == (sample.Credentials{}) && fl.String("public-key") == "" {
		lines, _ := fl.GetStringArray("header")
		isRequest := fl.String("request") != "" || fl.String("query") != "" || len(lines) > 0
		if !isRequest || h.Secrets == nil && h.PublicKeys == nil && h.Tokens == nil && h.BasicAuth == nil {
			h.Secrets, h.PublicKeys, h.Tokens, h.BasicAuth, h.Headers, h.Unverified = nil, nil, nil, nil, nil, true
			h.Tolerance = 0
		}
		return nil
	}
	h.Secrets, h.PublicKeys, h.Tokens, h.BasicAuth, h.Headers, h.Unverified = nil, nil, nil, nil, nil, false
	if creds.Secret != "" {
		h.Secrets = []string{creds.Secret}
	}
	if key := fl.String("public-key"); key != "" {
		h.PublicKeys = []string{key}
	}
	if creds.Token != "" {
		h.Tokens = []string{creds.Token}
	}
	if creds.BasicAuth == "" {
		return nil
	}
	resolved, err := webhooks.Resolve("--basic-auth", creds.BasicAuth)
	if err != nil {
		return err
	}
	username, password, err := sample.Credentials{BasicAuth: resolved}.SplitBasicAuth()
	if err != nil {
		return err
	}
	// They are resolved again.
	h.BasicAuth = &webhooks.BasicAuth{Username: caddyLiteral.Replace(username), Password: caddyLiteral.Replace(password)}
	return nil
}
