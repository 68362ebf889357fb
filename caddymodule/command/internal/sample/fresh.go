package sample

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/form"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// freshMember is added to events that are identified by their bytes.
const freshMember = "caddy_webhooks_new_id"

// Fresh returns a request with new ids in its events, or with one more member in each
// event that is identified by its bytes. An id that is in a header is set there.
func Fresh(p *provider.Provider, r fixtures.Request) (fixtures.Request, error) {
	if name := idHeader(p.Spec().ID); name != "" && !p.KeyIsHash() {
		r.Header = r.Header.Clone()
		r.Header.Set(name, rand.Text())
		return r, nil
	}
	if p.Spec().Form != nil && form.MediaType(r.Header.Get("Content-Type")) != "" {
		return freshForm(p, r)
	}
	body, err := freshBody(p, r.Body)
	r.Body = body
	return r, err
}

// idHeader returns the header that an id is in, or a part of it; "" for none.
func idHeader(id provider.Source) string {
	for _, text := range id.Paths {
		t, err := template.Parse(text)
		if err != nil {
			continue // a path
		}
		for part := range t.Parts() {
			if part.Kind == template.Header {
				return part.Text
			}
		}
	}
	return id.Header
}

// freshBody returns a body with new ids in its events.
func freshBody(p *provider.Provider, body []byte) ([]byte, error) {
	events, err := p.Split(string(body))
	if err != nil {
		return nil, fmt.Errorf("--new-id: the payload has %w", err)
	}
	for _, event := range slices.Backward(events) {
		fresh, err := freshEvent(p, event.Text)
		if err != nil {
			return nil, err
		}
		body = slices.Concat(body[:event.Start], []byte(fresh), body[event.Start+len(event.Text):])
	}
	return body, nil
}

// freshEvent returns an event with a new id.
func freshEvent(p *provider.Provider, event string) (string, error) {
	if !p.KeyIsHash() {
		for _, path := range idPaths(p.Spec().ID) {
			id := gjson.Get(event, path)
			if id.Type == gjson.Null {
				continue
			}
			if id.Index == 0 {
				return "", fmt.Errorf("--new-id: cannot replace the id at %q; change it in a payload of your own, and give that with --body", path)
			}
			return event[:id.Index] + newID(id.Type) + event[id.Index+len(id.Raw):], nil
		}
	}
	before, members, ok := strings.Cut(event, "{")
	if !ok {
		return "", fmt.Errorf("--new-id: an event of the payload is not an object")
	}
	if !strings.HasPrefix(strings.TrimLeft(members, " \t\r\n"), "}") {
		members = "," + members
	}
	return fmt.Sprintf(`%s{"%s":"%s"%s`, before, freshMember, rand.Text(), members), nil
}

// idPaths returns the paths that an id is at, or a part of it: of a template, the last.
func idPaths(id provider.Source) []string {
	var paths []string
	for _, text := range id.Paths {
		path := text
		if t, err := template.Parse(text); err == nil && template.Is(text) {
			path = ""
			for part := range t.Parts() {
				if part.Kind == template.BodyPath {
					path = part.Text
				}
			}
		}
		if path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

// newID returns an id in JSON, a number in the place of one.
func newID(of gjson.Type) string {
	if of == gjson.Number {
		n, _ := rand.Int(rand.Reader, big.NewInt(1<<53)) // never fails
		return n.String()
	}
	return `"` + rand.Text() + `"`
}
