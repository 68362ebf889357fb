package subscription

import (
	"context"
	"fmt"
	"slices"
)

// Actions of a Change.
const (
	ActionCreate = "create"
	ActionUpdate = "update"
	ActionDelete = "delete"
)

// Change is one call that changes something at the provider.
type Change struct {
	// Action is ActionCreate, ActionUpdate or ActionDelete.
	Action string `json:"action"`

	// ID is the id of the subscription. Empty for ActionCreate.
	ID string `json:"id,omitempty"`

	// Name is the name of the subscription, before the change if it exists.
	Name string `json:"name"`

	// URL is the URL of the subscription as ShownURL returns it, before the change
	// if it exists.
	URL string `json:"url"`

	// Differences are the values that the change sets or removes. Nil for
	// ActionDelete.
	Differences []Difference `json:"differences,omitempty"`

	words []string // the fields that an update sends, if it does not send all
}

// Plan lists the changes from what the provider has to what a block wants.
type Plan struct {
	// ID is the id of the block's subscription. Empty if it does not exist yet.
	ID string `json:"id,omitempty"`

	// Unreported lists fields the API does not return, so they cannot be compared.
	Unreported []string `json:"unreported,omitempty"`

	// Changes are the calls to make, in their order. Nil: unknown. Empty: nothing
	// to change.
	Changes []Change `json:"changes,omitzero"`

	// Notes are warnings about what no change affects, each one line.
	Notes []string `json:"notes,omitempty"`

	others []Subscription // the subscriptions that are not the block's, before the changes
}

// Plan returns the changes after which the provider has exactly the subscription
// that the block wants.
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
	// Deletes come last, so that events still arrive if the update fails.
	for i, s := range f.ours {
		if i != keep {
			plan.Changes = append(plan.Changes, remove(s))
		}
	}
	return plan
}

// Create returns the plan to create the block's subscription. It is an error if
// that exists.
func (t *Target) Create(ctx context.Context) (Plan, error) {
	f, err := t.look(ctx)
	if err != nil {
		return Plan{}, err
	}
	if len(f.ours) > 0 {
		return Plan{}, fmt.Errorf("this block has subscription %s already; change it with `update`", f.ours[0].ID)
	}
	return t.plan(f), nil
}

// Update returns the plan to send a subscription all that the block wants,
// whether it differs or not: the one with an id, which becomes the block's, or
// the block's own if the id is empty.
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
		return Plan{}, fmt.Errorf("this block has subscription %s already; delete it before taking over another one", f.ours[0].ID)
	}
	update := t.update(s)
	everything := t.Want.everything(t.Client.API)
	for _, d := range everything {
		if !s.reported[d.Field] {
			update.Differences = append(update.Differences, Difference{Replace, d.Field, d.Value})
		}
	}
	update.add(everything)
	return Plan{ID: s.ID, Changes: []Change{update}, others: f.others}, nil
}

// Delete returns the plan to remove the block's own subscriptions, or the one
// with an id, whoever created it.
func (t *Target) Delete(ctx context.Context, id string) (Plan, error) {
	f, err := t.list(ctx) // to delete, an id is enough
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

func (t *Target) create() Change {
	return Change{
		Action: ActionCreate, Name: t.Want.Name, URL: ShownURL(t.Want.URL),
		Differences: t.Want.everything(t.Client.API),
	}
}

// update returns the change from s to what the block wants.
func (t *Target) update(s Subscription) Change {
	change := Change{
		Action: ActionUpdate, ID: s.ID, Name: s.Name, URL: ShownURL(s.URL),
		Differences: t.Differences(&s),
	}
	change.add(change.Differences)
	return change
}

// add adds the fields that differ to those that a change sends.
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
