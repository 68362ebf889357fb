package queue

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestHistory(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		a := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			if d.Attempt < 3 {
				return Result{Status: 500, Excerpt: []byte("oops")}
			}
			return Result{Status: 202}
		}}
		dead := newDestination("dead", answers(410))
		g := start(t, s, newDestination("a", a.deliver), dead)
		events := newEvents(3)
		for _, e := range events { // of one request
			e.Request = &Request{Method: "PUT", URI: "/?x=1", Header: map[string][]string{"X-Test": {"yes"}}}
			e.Subject = "s-" + e.ID
		}
		events[1].Request = events[0].Request
		g.keep(t, events[:2]...)
		g.keep(t, events[2])
		if err := g.q.do(func(t *tx) error {
			return t.exec(`UPDATE webhooks_keys SET duplicates = 2, last_duplicate = $1 WHERE seq = $2`, t.micros(time.Now()), events[1].Seq)
		}); err != nil {
			t.Fatal(err)
		}
		g.drain(t, "a")
		g.drain(t, "dead")
		eventually(t, "the last write", func() bool { return g.number(t, `SELECT MIN(position) FROM webhooks_destinations`) >= 3 })

		h, err := g.q.History(t.Context(), events[1].Key)
		if err != nil {
			t.Fatal(err)
		}
		e := h.Event
		if h.Seq != events[1].Seq || h.ID != events[1].Key.String() || h.Subject != "s-1" || h.Size != int64(len(e.Body)) ||
			e.Seq != h.Seq || string(e.Body) != string(events[1].Body) || e.Request.Method != "PUT" || e.Request.Header.Get("X-Test") != "yes" {
			t.Errorf("%+v, %+v", h, e)
		}
		if h.Duplicates != 2 || h.LastDuplicate.Before(h.Received.Add(-time.Second)) {
			t.Errorf("it came again %d times, at %s", h.Duplicates, h.LastDuplicate)
		}
		if len(h.Destinations) != 2 {
			t.Fatalf("%+v", h.Destinations)
		}
		d := h.Destinations[0]
		var statuses []int
		for i, a := range d.Attempts {
			statuses = append(statuses, a.Status)
			if a.Attempt != i+1 || a.Began.IsZero() {
				t.Errorf("%+v", a)
			}
		}
		if d.Destination != "a" || d.State != StateDelivered || d.Attempt != 3 || d.LastStatus != 500 || !slices.Equal(statuses, []int{500, 500, 202}) {
			t.Errorf("%+v", d)
		}
		if d := h.Destinations[1]; d.Destination != "dead" || d.State != StateDead || d.Attempt != 1 || d.LastError != "answered 410" || len(d.Attempts) != 1 {
			t.Errorf("%+v", d)
		}

		// Discarded, and of a destination that is forgotten.
		if _, err = g.q.Discard(t.Context(), Selection{Dead: true}); err != nil {
			t.Fatal(err)
		}
		if h, err = g.q.History(t.Context(), events[2].Key); err != nil || h.Destinations[1].State != StateDiscarded || h.Event.Request.URI != "/?x=1" {
			t.Errorf("%+v, %v", h, err)
		}
		found, err := g.q.Search(t.Context(), Search{State: StateDiscarded}, 0, 10)
		if err != nil || len(found.Events) != 3 {
			t.Errorf("%+v, %v", found, err)
		}
		g.reload(t, newDestination("a", a.deliver))
		if _, err = g.q.Forget(t.Context(), "dead"); err != nil {
			t.Fatal(err)
		}
		if h, err = g.q.History(t.Context(), events[2].Key); err != nil || len(h.Destinations) != 2 || h.Destinations[1].Destination != "dead" || h.Destinations[1].State != StateDiscarded {
			t.Errorf("%+v, %v", h, err)
		}
		if _, err := g.q.History(t.Context(), newEvent("unknown", "").Key); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	})
}

// TestHistoryOfAnOlderEvent shows that an event is found by its key although a later one
// with this key is gone.
func TestHistoryOfAnOlderEvent(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s, newDestination("dead", answers(410)))
		e := newEvent("1", "")
		g.keep(t, e)
		eventually(t, "its death", func() bool { return g.status(t, "dead").DeadLetters == 1 })
		if err := g.q.do(func(t *tx) error { return t.exec(`UPDATE webhooks_keys SET seq = 1000`) }); err != nil {
			t.Fatal(err)
		}
		if h, err := g.q.History(t.Context(), e.Key); err != nil || h.Seq != e.Seq {
			t.Errorf("%+v, %v", h, err)
		}
	})
}

func TestCauses(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		a := func(_ context.Context, d *Delivery) Result {
			if d.ID == "0" {
				return Result{Status: 404}
			}
			return Result{Status: 410}
		}
		g := start(t, s, newDestination("a", a), newDestination("b", answers(410)))
		g.keep(t, newEvents(4)...)
		eventually(t, "their deaths", func() bool { return g.status(t, "a").DeadLetters == 4 && g.status(t, "b").DeadLetters == 4 })
		causes := func(destination string) (lines []string) {
			t.Helper()
			all, err := g.q.Causes(t.Context(), destination)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range all {
				lines = append(lines, c.Destination+" "+c.Cause+" "+string(rune('0'+c.DeadLetters)))
				if c.Oldest.IsZero() || c.Newest.Before(c.Oldest) || time.Since(c.Newest).Abs() > time.Minute {
					t.Errorf("%+v", c)
				}
			}
			return lines
		}
		if got := causes(""); !slices.Equal(got, []string{"b answered 410 4", "a answered 410 3", "a answered 404 1"}) {
			t.Error(got)
		}
		if got := causes("a"); !slices.Equal(got, []string{"a answered 410 3", "a answered 404 1"}) {
			t.Error(got)
		}
		if _, err := g.q.Causes(t.Context(), "nobody"); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	})
}
