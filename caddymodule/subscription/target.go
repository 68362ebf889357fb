package subscription

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Target is the subscription that one block wants at its provider. Of the
// subscriptions that the provider has, those with its name and its URL, queries
// aside, are the block's own: there should be one. The others are left alone,
// unless a call names one by its id.
type Target struct {
	// Client calls the provider's API. Required.
	Client *Client

	// Provider is the provider's name, as commands take it.
	Provider string

	// Want is the subscription that there should be.
	Want Subscription

	// Challenge describes how the provider tries the URL before it saves it. Nil:
	// it does not.
	Challenge *Challenge

	// Present adds the token to a request as the provider does; it does nothing if
	// the token is in the URL. Nil: that cannot be done without an event.
	Present func(r *http.Request)

	// TakesEmpty reports that the gateway acknowledges a request without an event.
	TakesEmpty bool

	// Others are the subscriptions that other blocks want in the same account. No
	// notes are made about them.
	Others []Subscription

	// OthersUnknown reports that Others is not complete.
	OthersUnknown bool
}

// IsBeside reports whether t and u are in one account at one provider. If the
// API has no accounts in its paths, the API token identifies the account.
func (t *Target) IsBeside(u *Target) bool {
	isSameKey := t.Client.Key == u.Client.Key || t.Client.API.HasAccounts()
	return t.Client.base() == u.Client.base() && t.Client.path("") == u.Client.path("") && isSameKey
}

// Meet adds what u wants to t.Others, if u is another block in the same account.
func (t *Target) Meet(u *Target) {
	if t != u && t.IsBeside(u) {
		t.Others = append(t.Others, u.Want)
	}
}

// Overlaps reports whether t and u have the same subscription.
func (t *Target) Overlaps(u *Target) bool { return t.IsBeside(u) && t.Want.IsSame(&u.Want) }

// ErrNoID is the error for an id that no subscription has.
var ErrNoID = errors.New("no subscription has this id; see `list`")

// Has reports whether a subscription with an id exists, and whether it is the
// block's own.
func (t *Target) Has(ctx context.Context, id string) (exists, isOurs bool, err error) {
	f, err := t.list(ctx)
	if err != nil {
		return false, false, err
	}
	s, err := f.withID(id)
	return err == nil, err == nil && s.IsSame(&t.Want), nil
}

// Get returns the subscription with an id, or the block's own if the id is
// empty. It returns ErrNoID for an unknown id.
func (t *Target) Get(ctx context.Context, id string) (Subscription, error) {
	f, err := t.look(ctx)
	if err != nil {
		return Subscription{}, err
	}
	return t.find(ctx, f, id)
}

// List returns all subscriptions of the account. For an API with Get, the others
// lack the fields that only Get returns.
func (t *Target) List(ctx context.Context) (ours, others []Subscription, err error) {
	f, err := t.look(ctx)
	return f.ours, f.others, err
}

// Differences lists what has to change in s to become what the block wants.
func (t *Target) Differences(s *Subscription) []Difference {
	return s.differences(t.Client.API, &t.Want)
}

// found is what a provider has.
type found struct {
	ours   []Subscription
	others []Subscription
}

// list reads the provider's list. For an API with Get, all lack the fields that
// only Get returns.
func (t *Target) list(ctx context.Context) (found, error) {
	var f found
	list, err := t.Client.List(ctx)
	if err != nil {
		return f, err
	}
	for _, s := range list {
		if s.IsSame(&t.Want) {
			f.ours = append(f.ours, s)
		} else {
			f.others = append(f.others, s)
		}
	}
	return f, nil
}

// maxOurs is the maximum number of the block's own subscriptions that look
// reads: each may take a call, and there should be one.
const maxOurs = 20

// look reads the provider's list, and all fields of the block's own.
func (t *Target) look(ctx context.Context) (found, error) {
	f, err := t.list(ctx)
	if err != nil {
		return f, err
	}
	if len(f.ours) > maxOurs {
		return f, fmt.Errorf("%s has %d subscriptions with this name and URL; remove them with `delete`", t.Client.URL, len(f.ours))
	}
	for i := range f.ours {
		if f.ours[i], err = t.whole(ctx, f.ours[i]); err != nil {
			return f, err
		}
		if !f.ours[i].IsSame(&t.Want) {
			return f, fmt.Errorf("%s returned subscription %s with another name or URL than in its list; run the command again", t.Client.URL, f.ours[i].ID)
		}
	}
	return f, nil
}

// whole returns a subscription of a list with all fields.
func (t *Target) whole(ctx context.Context, s Subscription) (Subscription, error) {
	if !t.Client.API.Get {
		return s, nil
	}
	return t.Client.Get(ctx, s.ID)
}

// find returns the subscription with an id, or the block's own if the id is
// empty, with all fields.
func (t *Target) find(ctx context.Context, f found, id string) (Subscription, error) {
	if id == "" {
		if len(f.ours) == 0 {
			return Subscription{}, errors.New("this block has no subscription yet; create it with `create`, or give the id of another one after the provider")
		}
		return f.ours[t.best(f.ours)], nil
	}
	s, err := f.withID(id)
	if err != nil || s.IsSame(&t.Want) {
		return s, err // look has read all fields of these
	}
	return t.whole(ctx, s)
}

// withID returns the subscription with an id.
func (f found) withID(id string) (Subscription, error) {
	all := slices.Concat(f.ours, f.others)
	i := slices.IndexFunc(all, func(s Subscription) bool { return s.ID == id })
	if i < 0 {
		return Subscription{}, ErrNoID
	}
	return all[i], nil
}

// best returns the index of the subscription to keep: an active one, if there is
// one, and of these the one with the fewest differences.
func (t *Target) best(ours []Subscription) int {
	best := 0
	for i := range ours {
		if t.cost(&ours[i]) < t.cost(&ours[best]) {
			best = i
		}
	}
	return best
}

// cost measures how far s is from what the block wants.
func (t *Target) cost(s *Subscription) int {
	const inactive = 1 << 20 // no update can change it
	cost := len(t.Differences(s))
	if s.isInactive() {
		cost += inactive
	}
	return cost
}
