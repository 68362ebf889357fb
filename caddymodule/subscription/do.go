package subscription

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Do makes one change of a plan of t.
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
	var rejected *rejectedError
	if errors.As(err, &rejected) && t.Challenge != nil {
		if tried := t.Challenge.try(ctx, t.Client, &t.Want); tried != nil {
			return fmt.Errorf("%w; the provider calls `url` first, which %w", err, tried)
		}
	}
	return err
}

// Check reads the provider's list again after all changes of a plan were made.
// It returns what is still to change, and an error if a change of the plan is not
// there.
func (t *Target) Check(ctx context.Context, done Plan) (Plan, error) {
	f, err := t.look(ctx)
	if err != nil {
		return Plan{}, fmt.Errorf("all changes were made, but reading the result failed: %w", err)
	}
	plan := t.plan(f)
	if s, ok := t.respelled(f, done); ok && plan.ID == "" {
		return Plan{}, fmt.Errorf("the provider stored the URL of subscription %s as %s; set `url` to that, or each run creates another subscription", s.ID, ShownURL(s.URL))
	}
	for _, change := range plan.Changes {
		wasToGo := slices.ContainsFunc(done.Changes, func(c Change) bool { return c.Action == ActionDelete && c.ID == change.ID })
		if change.Action != ActionDelete || wasToGo {
			return plan, errors.New("the provider reported success, but its list does not have the change; see `plan`")
		}
	}
	return plan, nil
}

// respelled returns the subscription that was stored instead of the block's: one
// with its name, which did not exist before, or had another URL.
func (t *Target) respelled(f found, done Plan) (Subscription, bool) {
	i := slices.IndexFunc(f.others, func(s Subscription) bool {
		existed := slices.ContainsFunc(done.others, func(o Subscription) bool { return o.ID == s.ID && o.URL == s.URL })
		return s.Name == t.Want.Name && !existed
	})
	if i < 0 {
		return Subscription{}, false
	}
	return f.others[i], true
}
