package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// each calls do for each block without an error. It goes on after an error, and
// returns all.
func (r *subscriptionsRun) each(do func(s *providerSide) error) error {
	var all failures
	for _, s := range r.sides {
		if s.Error != "" {
			continue // it is reported already
		}
		if err := do(s); err != nil {
			s.Error = err.Error()
			all = append(all, fmt.Errorf("%s: %w", s.title, err))
		}
	}
	return failed(all)
}

func (r *subscriptionsRun) plan() (int, error) {
	err := r.each(func(s *providerSide) (err error) {
		s.Plan, err = s.target.Plan(r.ctx)
		return err
	})
	if err = failed(r.print(r.printPlans), r.unread, err); err != nil {
		return 0, err
	}
	if n := r.changes(); n > 0 {
		if !r.isJSON {
			r.line("%s; run `caddy webhooks subscriptions apply` to apply them", count(int64(n), "change", "changes"))
		}
		return exitChanges, nil
	}
	return 0, nil
}

func (r *subscriptionsRun) apply() (int, error) {
	return r.change(func(t *subscription.Target) (subscription.Plan, error) { return t.Plan(r.ctx) })
}

func (r *subscriptionsRun) create() (int, error) {
	if err := r.needsSide(); err != nil {
		return 0, err
	}
	return r.change(func(t *subscription.Target) (subscription.Plan, error) { return t.Create(r.ctx) })
}

func (r *subscriptionsRun) update() (int, error) {
	// Which block it becomes the subscription of must be clear.
	if err := r.pick(func(a, b *providerSide) bool { return false }); err != nil {
		return 0, err
	}
	return r.change(func(t *subscription.Target) (subscription.Plan, error) { return t.Update(r.ctx, r.id) })
}

func (r *subscriptionsRun) remove() (int, error) {
	if err := r.pick(areBeside); err != nil {
		return 0, err
	}
	return r.change(func(t *subscription.Target) (subscription.Plan, error) { return t.Delete(r.ctx, r.id) })
}

// needsSide returns an error if no block has a `subscribe`, and drops the others.
func (r *subscriptionsRun) needsSide() error {
	if len(r.sides) > 0 {
		r.byHands = nil
		return nil
	}
	if r.unread != nil {
		return r.unread
	}
	names := make([]string, len(r.byHands))
	for i, manual := range r.byHands {
		names[i] = manual.Provider
	}
	return fmt.Errorf("no `subscribe` for %s; `plan` prints what to enter by hand", strings.Join(names, ", "))
}

// areBeside reports whether an id means the same subscription for two blocks.
func areBeside(a, b *providerSide) bool { return a.target.IsBeside(b.target) }

// pick selects the block at whose provider the id exists: the block that it
// belongs to, or the first of several that are alike.
func (r *subscriptionsRun) pick(areAlike func(a, b *providerSide) bool) error {
	if err := r.needsSide(); err != nil || r.id == "" {
		return err
	}
	var picked []*providerSide
	for _, s := range r.sides {
		isThere, isOurs, err := s.target.Has(r.ctx, r.id)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", s.title, err)
		case isOurs:
			r.sides = []*providerSide{s}
			return nil
		case isThere && (len(picked) == 0 || !areAlike(picked[0], s)):
			picked = append(picked, s)
		}
	}
	switch len(picked) {
	case 0:
		return fmt.Errorf("%s: no subscription %s; see `list`", r.sides[0].Provider, r.id)
	case 1:
		r.sides = picked
		return nil
	}
	return fmt.Errorf("several blocks have a subscription %s; select one with --url", r.id)
}

// change plans, prints the plans, asks, and carries them out.
func (r *subscriptionsRun) change(plan func(t *subscription.Target) (subscription.Plan, error)) (int, error) {
	err := r.each(func(s *providerSide) (err error) {
		s.Plan, err = plan(s.target)
		return err
	})
	if err == nil && r.unread == nil {
		err = r.each(r.try)
	}
	if r.unread != nil || err != nil {
		return 0, r.nothingChanged(failed(r.unread, err))
	}
	if r.changes() == 0 {
		return 0, r.print(r.printPlans)
	}
	if !r.isJSON || !r.flags.Bool("yes") {
		if err = r.printPlans(); err != nil {
			return 0, err
		}
	}
	if err = r.confirm(); err != nil {
		return 0, err
	}
	err = r.each(r.carryOut)
	return 0, failed(r.print(r.printDone), err)
}

// nothingChanged prints the plans, and adds an error if a block could have changed.
func (r *subscriptionsRun) nothingChanged(err error) error {
	if slices.ContainsFunc(r.sides, func(s *providerSide) bool { return s.Error == "" && len(s.Changes) > 0 }) {
		r.failure = "nothing was changed, for the other blocks either; to go on without this one, name a provider, or a block with --url"
		err = failed(err, errors.New(r.failure))
	}
	return failed(r.print(r.printPlans), err)
}

// changes returns the number of changes in all plans.
func (r *subscriptionsRun) changes() int {
	n := 0
	for _, s := range r.sides {
		n += len(s.Changes)
	}
	return n
}

// confirm asks before changes are made.
func (r *subscriptionsRun) confirm() error {
	if r.flags.Bool("yes") {
		return nil
	}
	return confirm(r.in, r.stderr, "Make these changes?", "nothing was changed")
}

// carryOut makes the changes of one plan, and checks the result.
func (r *subscriptionsRun) carryOut(s *providerSide) error {
	for _, change := range s.Changes {
		if err := s.target.Do(r.ctx, change); err != nil {
			return err
		}
		s.Done++
	}
	if s.isGone() {
		return nil
	}
	after, err := s.target.Check(r.ctx, s.Plan)
	s.ID, s.Notes = after.ID, after.Notes
	if s.tried != "" {
		s.Notes = append(s.Notes, s.tried)
	}
	return err
}

// isGone reports whether a plan only deletes, so that there is no result to check.
func (s *providerSide) isGone() bool {
	isOther := func(c subscription.Change) bool { return c.Action != subscription.ActionDelete }
	return s.ID == "" && !slices.ContainsFunc(s.Changes, isOther)
}

// try checks that the URL accepts the credentials.
func (r *subscriptionsRun) try(s *providerSide) error {
	if s.isGone() {
		return nil
	}
	note, err := s.target.Try(r.ctx)
	if note != "" {
		s.tried = note
		s.Notes = append(s.Notes, note)
	}
	isGood := note == "" && err == nil
	s.Accepted = isGood && s.target.Present != nil
	s.Challenge = isGood && s.target.Challenge != nil
	return err
}

func (r *subscriptionsRun) list() (int, error) {
	err := r.each(func(s *providerSide) error {
		ours, others, err := s.target.List(r.ctx)
		if err != nil {
			return err
		}
		s.Found = []foundSubscription{}
		for _, o := range ours {
			s.Found = append(s.Found, s.found(o, true))
		}
		for _, o := range others {
			s.Found = append(s.Found, s.found(o, false))
		}
		return nil
	})
	return 0, failed(r.print(r.printList), r.unread, err)
}

func (r *subscriptionsRun) get() (int, error) {
	if err := r.pick(areBeside); err != nil {
		return 0, err
	}
	err := r.each(func(s *providerSide) error {
		got, err := s.target.Get(r.ctx, r.id)
		if err == nil {
			s.Found = []foundSubscription{s.found(got, got.IsSame(&s.target.Want))}
		}
		return err
	})
	return 0, failed(r.print(r.printGot), r.unread, err)
}

// found returns a subscription as it may be shown.
func (s *providerSide) found(o subscription.Subscription, isOurs bool) foundSubscription {
	f := foundSubscription{
		ID: o.ID, Name: o.Name, URL: subscription.ShownURL(o.URL), Events: o.Events, Inbox: o.Inbox,
		Error: s.target.ErrorOf(&o), Ours: isOurs,
	}
	for _, header := range o.Headers {
		f.Header = append(f.Header, header.Name)
	}
	if o.Reports(subscription.FieldActive) {
		f.Active = &o.Active
	}
	if o.Reports(subscription.FieldToken) {
		f.Token = new(o.Token != "")
	}
	if o.Reports(subscription.FieldBasicAuth) {
		f.BasicAuth = new(o.BasicAuth != subscription.BasicAuth{})
	}
	if isOurs {
		f.Differs = s.target.Differences(&o)
	}
	return f
}
