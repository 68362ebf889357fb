package queue

import (
	"context"
	"testing"
)

// TestChangedSource shows that what a destination has not taken yet, when its
// source changes, it takes all the same; and of the new source what comes from then
// on.
func TestChangedSource(t *testing.T) {
	s := testSettings(t)
	r := new(receiver)
	q := openQueue(t, s)
	d := newDestination("a", r.deliver)
	d.Concurrency = 1 // in order
	first := q.serve(Service{Destinations: []Destination{d}, Observer: new(watcher), Retention: s.Retention, Size: s.Size})
	if err := q.Pause(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	ofSource := func(id, source string) *Event {
		e := newEvent(id, "")
		e.Source = source
		return e
	}
	store := func(g *logGeneration, events ...*Event) {
		t.Helper()
		if _, err := g.store(context.Background(), events); err != nil {
			t.Fatal(err)
		}
	}
	store(first, ofSource("1", testSource), ofSource("not yet", "/other"), ofSource("2", testSource))
	d.Source = "/other"
	second := q.serve(Service{Destinations: []Destination{d}, Observer: new(watcher), Retention: s.Retention, Size: s.Size})
	first.stop(context.Background())
	store(second, ofSource("not any more", testSource), ofSource("3", "/other"))
	status, err := q.Status(t.Context())
	if err != nil || status[0].Backlog != 3 {
		t.Errorf("%+v %v", status, err)
	}
	if err := q.Resume(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "delivery", func() bool {
		status, err := q.Status(t.Context())
		return err == nil && status[0].Backlog == 0
	})
	r.wants(t, "1", "2", "3")
	second.stop(context.Background())
}
