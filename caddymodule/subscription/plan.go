package subscription

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// What a Change does.
const (
	ActionCreate = "create"
	ActionUpdate = "update"
	ActionDelete = "delete"
)

// Target is what one block wants at a provider.
type Target struct {
	// Client calls the provider's API.
	Client *Client

	// Provider is its name, for advice.
	Provider string

	// Want is the subscription that there should be. What its name and its URL,
	// apart from the query, are those of, is ours.
	Want Subscription

	// Challenge is how the provider tries the URL, nil if it does not.
	Challenge *Challenge

	// Present puts the token into a request as the provider does, where it is not in
	// the URL; nil if that cannot be done without an event.
	Present func(r *http.Request)

	// TakesEmpty says that a request without an event is acknowledged.
	TakesEmpty bool

	// Others are what other blocks want in the same account: no note is made of
	// them.
	Others []Subscription

	// OthersUnknown says that there are other blocks of which nothing is known.
	OthersUnknown bool
}

// Change is one call that changes something.
type Change struct {
	// Action is ActionCreate, ActionUpdate or ActionDelete.
	Action string `json:"action"`

	// ID is the subscription's, "" for one that is to be made.
	ID string `json:"id,omitempty"`

	// Name is its name.
	Name string `json:"name"`

	// URL is its URL, without what must not be shown.
	URL string `json:"url"`

	// Differences are what an update changes, or what a new one gets.
	Differences []Difference `json:"differences,omitempty"`

	words []string // the fields that an update sends, if it does not send all
}

// Plan is the way from what the provider has to what the block wants.
type Plan struct {
	// ID is the subscription that is ours, "" when there is none yet.
	ID string `json:"id,omitempty"`

	// Unreported lists fields of it that the API does not return, so they cannot be
	// compared.
	Unreported []string `json:"unreported,omitempty"`

	// Changes are what has to be done: nil when that is not known, empty when all is
	// as it should be.
	Changes []Change `json:"changes,omitzero"`

	// Notes are about what no change mends.
	Notes []string `json:"notes,omitempty"`

	others []Subscription // what there was that is not ours
}

// found is what the provider has.
type found struct {
	ours   []Subscription
	others []Subscription
}

// list asks the provider what it has. For an API with Get, ours lack what only
// that shows.
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

// look asks the provider what it has, of ours with all that the API reports.
func (t *Target) look(ctx context.Context) (found, error) {
	f, err := t.list(ctx)
	if err != nil {
		return f, err
	}
	if len(f.ours) > maxOurs {
		return f, fmt.Errorf("%s lists %d subscriptions of this name and URL; `delete` removes them", t.Client.URL, len(f.ours))
	}
	for i := range f.ours {
		if f.ours[i], err = t.whole(ctx, f.ours[i]); err != nil {
			return f, err
		}
		if !f.ours[i].IsSame(&t.Want) {
			return f, fmt.Errorf("%s lists subscription %s with another name or URL than it shows it with; run the command again", t.Client.URL, f.ours[i].ID)
		}
	}
	return f, nil
}

// maxOurs is how many subscriptions of ours are looked at: each may take a call,
// and there should be one.
const maxOurs = 20

// whole returns a subscription of a list with all that the API reports.
func (t *Target) whole(ctx context.Context, s Subscription) (Subscription, error) {
	if !t.Client.API.Get {
		return s, nil
	}
	return t.Client.Get(ctx, s.ID)
}

// Plan returns what has to be done so that the provider has what the block
// wants.
func (t *Target) Plan(ctx context.Context) (Plan, error) {
	f, err := t.look(ctx)
	if err != nil {
		return Plan{}, err
	}
	return t.plan(f), nil
}

func (t *Target) plan(f found) Plan {
	plan := Plan{Changes: []Change{}, Notes: t.notes(f), others: f.others}
	if len(f.ours) == 0 {
		plan.Changes = append(plan.Changes, t.create())
		return plan
	}
	keep := t.best(f.ours)
	plan.ID, plan.Unreported = f.ours[keep].ID, t.unreported(&f.ours[keep])
	if update := t.update(f.ours[keep]); len(update.Differences) > 0 {
		plan.Changes = append(plan.Changes, update)
	}
	// Last, so that something works if the update fails.
	for i, s := range f.ours {
		if i != keep {
			plan.Changes = append(plan.Changes, remove(s))
		}
	}
	return plan
}

// best returns which of several is kept: one that is active, if there is one,
// and of these the one with least to change.
func (t *Target) best(ours []Subscription) int {
	best := 0
	for i := range ours {
		if t.cost(&ours[i]) < t.cost(&ours[best]) {
			best = i
		}
	}
	return best
}

// cost is how far s is from what the block wants.
func (t *Target) cost(s *Subscription) int {
	const inactive = 1 << 20 // no change mends it
	cost := len(t.Differences(s))
	if s.isInactive() {
		cost += inactive
	}
	return cost
}

// Create returns the plan to make the subscription, which must not be there.
func (t *Target) Create(ctx context.Context) (Plan, error) {
	f, err := t.look(ctx)
	if err != nil {
		return Plan{}, err
	}
	if len(f.ours) > 0 {
		return Plan{}, fmt.Errorf("it is there already, as subscription %s; `update` changes it", f.ours[0].ID)
	}
	return t.plan(f), nil
}

// Update returns the plan to send a subscription all that the block wants,
// whether or not it differs: ours; or, with an id, any, which is ours then.
func (t *Target) Update(ctx context.Context, id string) (Plan, error) {
	f, err := t.look(ctx)
	if err != nil {
		return Plan{}, err
	}
	s, err := t.find(ctx, f, id)
	if err != nil {
		return Plan{}, err
	}
	if len(f.ours) > 0 && !s.IsSame(&t.Want) {
		return Plan{}, fmt.Errorf("this block has subscription %s already; delete that before it takes over another one", f.ours[0].ID)
	}
	update := t.update(s)
	for _, d := range t.Want.everything(t.Client.API) {
		if !s.reported[d.Field] {
			update.Differences = append(update.Differences, Difference{Replace, d.Field, d.Value})
		}
	}
	update.add(t.Want.everything(t.Client.API))
	return Plan{ID: s.ID, Changes: []Change{update}, others: f.others}, nil
}

// Delete returns the plan to remove what is ours; or, with an id, that one,
// whoever created it.
func (t *Target) Delete(ctx context.Context, id string) (Plan, error) {
	f, err := t.list(ctx) // what only a GET shows does not matter
	if err != nil {
		return Plan{}, err
	}
	going := f.ours
	if id != "" {
		s, err := f.withID(id)
		if err != nil {
			return Plan{}, err
		}
		going = []Subscription{s}
	}
	plan := Plan{Changes: []Change{}}
	for _, s := range going {
		plan.Changes = append(plan.Changes, remove(s))
	}
	return plan, nil
}

// withID returns the subscription with an id, as it was found.
func (f found) withID(id string) (Subscription, error) {
	all := slices.Concat(f.ours, f.others)
	i := slices.IndexFunc(all, func(s Subscription) bool { return s.ID == id })
	if i < 0 {
		return Subscription{}, ErrNoID
	}
	return all[i], nil
}

// find returns the subscription with an id, or the one that is ours, with all
// that the API reports.
func (t *Target) find(ctx context.Context, f found, id string) (Subscription, error) {
	if id == "" {
		if len(f.ours) == 0 {
			return Subscription{}, errors.New("it is not there yet; `create` makes it, and an id after the provider names another one")
		}
		return f.ours[t.best(f.ours)], nil
	}
	s, err := f.withID(id)
	if err != nil || s.IsSame(&t.Want) {
		return s, err // ours are whole
	}
	return t.whole(ctx, s)
}

// Has reports whether there is a subscription with an id, and whether that is
// ours.
func (t *Target) Has(ctx context.Context, id string) (isThere, isOurs bool, err error) {
	f, err := t.list(ctx)
	if err != nil {
		return false, false, err
	}
	s, err := f.withID(id)
	return err == nil, err == nil && s.IsSame(&t.Want), nil
}

// ErrNoID says that no subscription has an id.
var ErrNoID = errors.New("no subscription has this id; `list` shows which there are")

// Get returns the subscription that is ours, or the one with an id.
func (t *Target) Get(ctx context.Context, id string) (Subscription, error) {
	f, err := t.look(ctx)
	if err != nil {
		return Subscription{}, err
	}
	return t.find(ctx, f, id)
}

// List returns all that the provider has; those that are ours with all that the
// API tells.
func (t *Target) List(ctx context.Context) (ours, others []Subscription, err error) {
	f, err := t.look(ctx)
	return f.ours, f.others, err
}

func (t *Target) create() Change {
	return Change{
		Action: ActionCreate, Name: t.Want.Name, URL: ShownURL(t.Want.URL),
		Differences: t.Want.everything(t.Client.API),
	}
}

// update returns the change that makes s what the block wants.
func (t *Target) update(s Subscription) Change {
	change := Change{
		Action: ActionUpdate, ID: s.ID, Name: s.Name, URL: ShownURL(s.URL),
		Differences: t.Differences(&s),
	}
	change.add(change.Differences)
	return change
}

// add makes a change send the fields that differ.
func (c *Change) add(differences []Difference) {
	for _, d := range differences {
		if !slices.Contains(c.words, d.Field) {
			c.words = append(c.words, d.Field)
		}
	}
}

func remove(s Subscription) Change {
	return Change{Action: ActionDelete, ID: s.ID, Name: s.Name, URL: ShownURL(s.URL)}
}

// Differences lists in what s is not as the block wants it.
func (t *Target) Differences(s *Subscription) []Difference {
	return s.differences(t.Client.API, &t.Want)
}

// IsBeside reports whether t and u are in one account at one provider: where
// that has no accounts in its paths, the API token says which.
func (t *Target) IsBeside(u *Target) bool {
	isSameKey := t.Client.Key == u.Client.Key || t.Client.API.HasAccounts()
	return t.Client.base() == u.Client.base() && t.Client.path("") == u.Client.path("") && isSameKey
}

// Meet makes t know u, if that is another block's in the same account.
func (t *Target) Meet(u *Target) {
	if t != u && t.IsBeside(u) {
		t.Others = append(t.Others, u.Want)
	}
}

// Overlaps reports whether what is ours for t is ours for u too.
func (t *Target) Overlaps(u *Target) bool { return t.IsBeside(u) && t.Want.IsSame(&u.Want) }

// Do makes a change, which is one of a plan of t.
func (t *Target) Do(ctx context.Context, change Change) error {
	var err error
	switch change.Action {
	case ActionCreate:
		err = t.Client.Create(ctx, &t.Want)
	case ActionUpdate:
		err = t.Client.Update(ctx, change.ID, &t.Want, change.words)
	default:
		return t.Client.Delete(ctx, change.ID)
	}
	var refused *refusedError
	if errors.As(err, &refused) && t.Challenge != nil {
		if tried := t.Challenge.try(ctx, t.Client, &t.Want); tried != nil {
			return fmt.Errorf("%w; it tries the URL first, which %v", err, tried)
		}
	}
	return err
}

// Check looks again after a plan was carried out: it returns what is ours, and
// an error if what was done is not there.
func (t *Target) Check(ctx context.Context, done Plan) (Plan, error) {
	f, err := t.look(ctx)
	if err != nil {
		return Plan{}, fmt.Errorf("done, but it is not known what came of it: %w", err)
	}
	plan := t.plan(f)
	if s, ok := t.respelled(f, done); ok && plan.ID == "" {
		return Plan{}, fmt.Errorf("the provider keeps the URL of subscription %s as %s; write `url` so, or each run makes another one", s.ID, ShownURL(s.URL))
	}
	for _, change := range plan.Changes {
		wasToGo := slices.ContainsFunc(done.Changes, func(c Change) bool { return c.Action == ActionDelete && c.ID == change.ID })
		if change.Action != ActionDelete || wasToGo {
			return plan, errors.New("the provider says that it was done, but does not show it; look with `plan`")
		}
	}
	return plan, nil
}

// respelled returns what came in the place of ours: it has our name, and was not
// there, or not as it is, before.
func (t *Target) respelled(f found, done Plan) (Subscription, bool) {
	i := slices.IndexFunc(f.others, func(s Subscription) bool {
		wasThere := slices.ContainsFunc(done.others, func(o Subscription) bool { return o.ID == s.ID && o.URL == s.URL })
		return s.Name == t.Want.Name && !wasThere
	})
	if i < 0 {
		return Subscription{}, false
	}
	return f.others[i], true
}

// Try makes sure that the URL accepts what the provider will prove itself with:
// before that is registered, since events that are refused may be lost. It
// returns an error if it is refused; and a note if that is not known, since what
// is called from here may be answered by somebody else, or by nobody.
func (t *Target) Try(ctx context.Context) (note string, err error) {
	if t.Challenge != nil {
		err = t.Challenge.try(ctx, t.Client, &t.Want)
	}
	if err == nil && t.Present != nil {
		err = t.tryProof(ctx)
	}
	switch {
	case errors.Is(err, errRefused):
		return "", fmt.Errorf("the URL %w", err)
	case err != nil:
		return "whether the gateway accepts what is to be registered is not known: the URL " + err.Error(), nil
	}
	return "", nil
}
