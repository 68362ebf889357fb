package sample

import (
	"errors"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// Fresh returns a request whose events are new to the provider: with new ids, or with
// one more member in each event that is identified by its bytes.
func Fresh(p *provider.Provider, r fixtures.Request) (fixtures.Request, error) {
	events, err := split(p, r)
	if err != nil {
		return r, err
	}
	for i := range events {
		if r, err = freshEvent(p, r, i); err != nil {
			return r, err
		}
	}
	return r, nil
}

// split returns the events of a request.
func split(p *provider.Provider, r fixtures.Request) ([]provider.Raw, error) {
	text, ok := Request(p, r).JSON()
	if !ok {
		return nil, errors.New("--new-id: the payload is neither JSON nor a form of this provider; change its ids yourself")
	}
	events, err := p.Split(text)
	if err != nil {
		return nil, fmt.Errorf("--new-id: the payload has %w", err)
	}
	return events, nil
}

// freshEvent returns a request with a new id and a new dedup key in one of its events. It
// tries one change after the other, and keeps those that bring something new and leave
// the event's type and subject alone. Only the key must be new: the id of some events is
// also their subject.
func freshEvent(p *provider.Provider, r fixtures.Request, i int) (fixtures.Request, error) {
	before, err := read(p, r, i)
	if err != nil {
		return r, err
	}
	var hasID, hasKey bool
	for _, change := range changes(p) {
		changed, err := change(r, i)
		if err != nil {
			continue
		}
		e, err := read(p, changed, i)
		if err != nil || e.Type != before.Type || e.Subject != before.Subject || e.MissingID && !before.MissingID {
			continue
		}
		newID, newKey := e.ID != before.ID, e.DedupKey != before.DedupKey
		if newID && !hasID || newKey && !hasKey {
			r, hasID, hasKey = changed, newID, newKey
		}
		if hasID && hasKey {
			return r, nil
		}
	}
	if !hasKey {
		return r, fmt.Errorf("--new-id: cannot replace what identifies event %d of the payload; change it in a payload of your own, and give that with --body", i+1)
	}
	return r, nil
}

// read returns the event at a position of a request.
func read(p *provider.Provider, r fixtures.Request, i int) (provider.Event, error) {
	events, err := split(p, r)
	if err != nil {
		return provider.Event{}, err
	}
	if i >= len(events) {
		return provider.Event{}, fmt.Errorf("--new-id: the payload has %w", provider.ErrNoEvent)
	}
	return p.Read(events[i], Request(p, r)), nil
}
