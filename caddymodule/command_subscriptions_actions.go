package caddymodule

import (
	"bufio"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// each does something for each block, keeps what went wrong, and goes on with
// the others. It returns all that went wrong.
func (r *subscriptionsRun) each(do func(s *providerSide) error) error {
	var all []error
	for _, s := range r.sides {
		if s.Error != "" {
			continue // it has been said
		}
		if err := do(s); err != nil {
			s.Error = err.Error()
			all = append(all, fmt.Errorf("%s: %w", s.title, err))
		}
	}
	return errors.Join(all...)
}

func (r *subscriptionsRun) plan() (int, error) {
	err := r.each(func(s *providerSide) (err error) {
		s.Plan, err = s.target.Plan(r.ctx)
		return err
	})
	if printErr := r.print(r.printPlans); printErr != nil || err != nil {
		return 0, errors.Join(printErr, err)
	}
	if n := r.changes(); n > 0 {
		if !r.isJSON {
			r.line("%s; `caddy webhooks subscriptions apply` makes it so", count(int64(n), "change", "changes"))
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

// needsSide returns an error if no block can do what is asked. The others are
// not meant.
func (r *subscriptionsRun) needsSide() error {
	if len(r.sides) > 0 {
		r.byHands = nil
		return nil
	}
	return errors.New("no block has a `subscribe`; `plan` says what to enter at the provider by hand")
}

// areBeside reports whether an id means the same for two blocks.
func areBeside(a, b *providerSide) bool { return a.target.IsBeside(b.target) }

// pick keeps the block at whose provider a given id is; of several that are
// alike, the first.
func (r *subscriptionsRun) pick(areAlike func(a, b *providerSide) bool) error {
	if err := r.needsSide(); err != nil || r.id == "" {
		return err
	}
	var picked []*providerSide
	for _, s := range r.sides {
		_, err := s.target.Get(r.ctx, r.id)
		switch {
		case err == nil && len(picked) > 0 && areAlike(picked[0], s):
		case err == nil:
			picked = append(picked, s)
		case !errors.Is(err, subscription.ErrNoID):
			return fmt.Errorf("%s: %w", s.title, err)
		}
	}
	switch len(picked) {
	case 0:
		return fmt.Errorf("%s: %w", r.sides[0].Provider, subscription.ErrNoID)
	case 1:
		r.sides = picked
		return nil
	}
	return fmt.Errorf("subscription %s is there for several blocks; say which one is meant with --url", r.id)
}

// change makes plans, shows them, asks, and carries them out.
func (r *subscriptionsRun) change(plan func(t *subscription.Target) (subscription.Plan, error)) (int, error) {
	err := r.each(func(s *providerSide) (err error) {
		s.Plan, err = plan(s.target)
		return err
	})
	if err != nil {
		return 0, r.nothingChanged(err)
	}
	if r.changes() == 0 {
		err := r.each(r.try)
		return 0, errors.Join(r.print(r.printPlans), err)
	}
	if !r.isJSON || !r.flags.Bool("yes") {
		if err := r.printPlans(); err != nil {
			return 0, err
		}
	}
	if err := r.confirm(); err != nil {
		return 0, err
	}
	err = r.each(r.carryOut)
	return 0, errors.Join(r.print(r.printDone), err)
}

// nothingChanged says that nothing was, also where it could have been.
func (r *subscriptionsRun) nothingChanged(err error) error {
	if slices.ContainsFunc(r.sides, func(s *providerSide) bool { return s.Error == "" }) {
		r.failure = "nothing was changed, for the other blocks neither; name a provider, or a block with --url, to go on without this one"
		err = errors.Join(err, errors.New(r.failure))
	}
	return errors.Join(r.print(func() error { return nil }), err)
}

// changes returns how many changes the plans have.
func (r *subscriptionsRun) changes() int {
	n := 0
	for _, s := range r.sides {
		n += len(s.Changes)
	}
	return n
}

// confirm asks whether to go on.
func (r *subscriptionsRun) confirm() error {
	if r.flags.Bool("yes") {
		return nil
	}
	fmt.Fprint(r.notes, "Make these changes? [y/N] ")
	answer, _ := bufio.NewReader(r.in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	fmt.Fprintln(r.notes)
	return errors.New("nothing was changed: answer y, or say --yes where nobody can answer")
}

// carryOut makes the changes of one plan, and looks what came of them.
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
	if err != nil {
		return err
	}
	return r.try(s)
}

// isGone reports whether a plan was to delete, and leaves nothing of ours.
func (s *providerSide) isGone() bool { return s.ID == "" && s.onlyDeletes() }

func (s *providerSide) onlyDeletes() bool {
	isOther := func(c subscription.Change) bool { return c.Action != subscription.ActionDelete }
	return !slices.ContainsFunc(s.Changes, isOther)
}

// try makes sure that the URL answers the provider's challenge, if it has one.
func (r *subscriptionsRun) try(s *providerSide) error {
	if s.target.Challenge == nil || s.ID == "" {
		return nil
	}
	note, err := s.target.Try(r.ctx)
	if note != "" {
		s.Notes = append(s.Notes, note)
	}
	s.Challenge = note == "" && err == nil
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
	return 0, errors.Join(r.print(r.printList), err)
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
	return 0, errors.Join(r.print(r.printGot), err)
}

// found returns what may be shown of a subscription.
func (s *providerSide) found(o subscription.Subscription, isOurs bool) foundSubscription {
	f := foundSubscription{
		ID: o.ID, Name: o.Name, URL: subscription.ShownURL(o.URL), Events: o.Events, Inbox: o.Inbox,
		Error: s.target.ErrorOf(&o), Ours: isOurs,
	}
	for _, header := range o.Headers {
		f.Header = append(f.Header, header.Name)
	}
	if o.Tells(subscription.FieldActive) {
		f.Active = &o.Active
	}
	if o.Tells(subscription.FieldToken) {
		f.Token = new(o.Token != "")
	}
	if o.Tells(subscription.FieldBasicAuth) {
		f.BasicAuth = new(o.BasicAuth != subscription.BasicAuth{})
	}
	if isOurs {
		f.Differs = s.target.Differences(&o)
	}
	return f
}
