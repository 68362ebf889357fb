package sample

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// freshMember is added to events that are identified by their bytes.
const freshMember = "caddy_webhooks_new_id"

// Fresh returns a request with new ids in its events, or with one more member in each
// event that is identified by its bytes. An id that is in a header is set there.
func Fresh(p *provider.Provider, r fixtures.Request) (fixtures.Request, error) {
	if name := p.Spec().ID.Header; name != "" && !p.KeyIsHash() {
		r.Header = r.Header.Clone()
		r.Header.Set(name, rand.Text())
		return r, nil
	}
	body, err := freshBody(p, r.Body)
	r.Body = body
	return r, err
}

// freshBody returns a body with new ids in its events.
func freshBody(p *provider.Provider, body []byte) ([]byte, error) {
	spec := p.Spec()
	events, err := p.Split(string(body))
	if err != nil {
		return nil, fmt.Errorf("--new-id: the payload has %w", err)
	}
	if !p.IsBatch() {
		fresh, freshErr := freshEvent(p, events[0])
		return []byte(fresh), freshErr
	}
	array := gjson.ParseBytes(body)
	if !array.IsArray() {
		array = array.Get(spec.Events)
	}
	begin := array.Index
	var fresh strings.Builder
	fresh.Write(body[:begin])
	fresh.WriteByte('[')
	for i, event := range events {
		if i > 0 {
			fresh.WriteByte(',')
		}
		if event, err = freshEvent(p, event); err != nil {
			return nil, err
		}
		fresh.WriteString(event)
	}
	fresh.WriteByte(']')
	fresh.Write(body[begin+len(array.Raw):])
	return []byte(fresh.String()), nil
}

// freshEvent returns an event with a new id.
func freshEvent(p *provider.Provider, event string) (string, error) {
	if !p.KeyIsHash() {
		for _, path := range p.Spec().ID.Paths {
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

// newID returns an id in JSON, a number in the place of one.
func newID(of gjson.Type) string {
	if of == gjson.Number {
		n, _ := rand.Int(rand.Reader, big.NewInt(1<<53)) // never fails
		return n.String()
	}
	return `"` + rand.Text() + `"`
}
