package sample

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// freshMember is added to events that are identified by their bytes.
const freshMember = "caddy_webhooks_new_id"

// change returns a request with another value in the event at a position, or around it.
type change func(r fixtures.Request, i int) (fixtures.Request, error)

// errAbsent is the error of a change whose value is not in the request.
var errAbsent = errors.New("not in the request")

// changes returns what may make an event of a provider a new one, in the order in which to
// try it: the values that its id and its key are made of, headers that the request
// lacks, and one more member.
func changes(p *provider.Provider) []change {
	var there, lacking []change
	for _, part := range identity(p.Spec()) {
		switch part.Kind {
		case template.BodyPath:
			there = append(there, replacePath(p, part.Text))
		case template.Query:
			there = append(there, replaceQuery(part.Text))
		case template.Header:
			there = append(there, replaceHeader(part.Text))
			lacking = append(lacking, setHeader(part.Text))
		}
	}
	return slices.Concat(there, lacking, []change{addMember(p)})
}

// identity returns the parts of a request that the id and the key of an event are made
// of. In a template, the last come first: the account of an id is before it.
func identity(spec *provider.Spec) []template.Part {
	var parts []template.Part
	if spec.ID.Header != "" {
		parts = append(parts, template.Part{Kind: template.Header, Text: spec.ID.Header})
	}
	for _, path := range spec.ID.Paths {
		parts = append(parts, partsOf(path)...)
	}
	for _, key := range spec.Keys {
		if template.Is(key) { // else it is a word
			parts = append(parts, partsOf(key)...)
		}
	}
	return parts
}

// partsOf returns the parts of a template, the last one first, or of a path.
func partsOf(text string) []template.Part {
	if !template.Is(text) {
		return []template.Part{{Kind: template.BodyPath, Text: text}}
	}
	t, err := template.Parse(text)
	if err != nil {
		return nil // Compile refuses it
	}
	parts := slices.Collect(t.Parts())
	slices.Reverse(parts)
	return parts
}

// replacePath replaces the value at a path of the event.
func replacePath(p *provider.Provider, path string) change {
	return func(r fixtures.Request, i int) (fixtures.Request, error) {
		return edit(p, r, i, func(event string) (string, error) {
			old := gjson.Get(event, path)
			if old.Index == 0 {
				return "", errAbsent
			}
			with, err := another(old)
			return event[:old.Index] + with + event[old.Index+len(old.Raw):], err
		})
	}
}

// addMember adds a member to the event.
func addMember(p *provider.Provider) change {
	return func(r fixtures.Request, i int) (fixtures.Request, error) {
		return edit(p, r, i, func(event string) (string, error) {
			before, members, _ := strings.Cut(event, "{") // all events are objects
			if !strings.HasPrefix(strings.TrimLeft(members, " \t\r\n"), "}") {
				members = "," + members
			}
			return fmt.Sprintf(`%s{"%s":"%s"%s`, before, freshMember, rand.Text(), members), nil
		})
	}
}

// edit returns a request with another text for one of its events.
func edit(p *provider.Provider, r fixtures.Request, i int, with func(event string) (string, error)) (fixtures.Request, error) {
	events, err := split(p, r)
	if err != nil {
		return r, err
	}
	event := events[i]
	fresh, err := with(event.Text)
	if err != nil {
		return r, err
	}
	payload, _ := Request(p, r).JSON() // split has read it
	return withPayload(p, r, payload[:event.Start]+fresh+payload[event.Start+len(event.Text):])
}

// replaceHeader sets a header that the request has.
func replaceHeader(name string) change {
	return func(r fixtures.Request, i int) (fixtures.Request, error) {
		if r.Header.Get(name) == "" {
			return r, errAbsent
		}
		return setHeader(name)(r, i)
	}
}

// setHeader sets a header.
func setHeader(name string) change {
	return func(r fixtures.Request, _ int) (fixtures.Request, error) {
		r.Header = r.Header.Clone()
		r.Header.Set(name, rand.Text())
		return r, nil
	}
}

// replaceQuery sets a parameter that the query has.
func replaceQuery(name string) change {
	return func(r fixtures.Request, _ int) (fixtures.Request, error) {
		path, _, _ := strings.Cut(r.Target, "?")
		query, err := url.ParseQuery(r.Query())
		if err != nil || !query.Has(name) {
			return r, errAbsent
		}
		query.Set(name, rand.Text())
		r.Target = path + "?" + query.Encode()
		return r, nil
	}
}

// another returns, in JSON, another value of the same kind: a text, a time or a number.
func another(old gjson.Result) (string, error) {
	switch old.Type {
	case gjson.Number:
		return random(1 << 53).String(), nil
	case gjson.String:
		if _, err := time.Parse(time.RFC3339, old.Str); err == nil {
			return time.Unix(time.Now().Unix(), random(1e9).Int64()).UTC().Format(`"` + time.RFC3339Nano + `"`), nil
		}
		return `"` + rand.Text() + `"`, nil
	}
	return "", errAbsent
}

// random returns a random number below a limit.
func random(limit int64) *big.Int {
	n, _ := rand.Int(rand.Reader, big.NewInt(limit)) // never fails
	return n
}
