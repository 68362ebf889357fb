package queue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// ofKind returns an event whose envelope has a kind.
func ofKind(id, kind string) *Event {
	e := newEvent(id, "")
	e.Body = fmt.Appendf(nil, `{"id":%q,"data":{"kind":%q,"original":{"n":1}}}`, id, kind)
	return e
}

// whenKind returns the conditions that the kind is one of some words.
func whenKind(words ...string) []envelope.Condition {
	return []envelope.Condition{{Path: "data.kind", Is: words}}
}

// found returns the ids of the events that a search finds, oldest first.
func (g *gateway) found(t testing.TB, s Search) (ids []string) {
	t.Helper()
	found, err := g.q.Search(t.Context(), s, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range slices.Backward(found.Events) {
		ids = append(ids, e.EventID)
	}
	return ids
}

// TestConditions follows events past destinations with conditions: what waits, what is
// delivered, what nobody takes, and what a replay takes.
func TestConditions(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		all, some, few := new(receiver), new(receiver), new(receiver)
		a, b, c := newDestination("all", all.deliver), newDestination("some", some.deliver), newDestination("few", few.deliver)
		a.Types = types("contact.*")
		b.When = whenKind("text", "im*")
		c.When = append(whenKind("*"), envelope.Condition{Path: "data.kind", IsNot: []string{"text", "image"}})
		b.Concurrency, c.Concurrency = 1, 1
		g := start(t, s, a, b, c)
		waitDeclared(t, g.g)
		for _, name := range []string{"some", "few"} {
			if err := g.q.Pause(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		noKind := newEvent("none", "")
		whole := ofKind("whole", "text")
		whole.Original = 0 // not an envelope
		first := ofKind("video", "video")
		g.keep(t, noKind, whole, first, ofKind("text", "text"), ofKind("image", "image"))
		var others []*Event
		for i := range 2100 { // several parts of the log
			others = append(others, newEvent(fmt.Sprint("none-", i), ""))
		}
		for part := range slices.Chunk(others, 300) {
			g.keep(t, part...)
		}
		g.keep(t, ofKind("late", "text"))
		g.drain(t, "all")
		if st := g.status(t, "some"); st.Backlog != 3 || st.OldestUndelivered.IsZero() {
			t.Errorf("%+v", st)
		}
		if st := g.status(t, "few"); st.Backlog != 1 || st.OldestUndelivered.Sub(first.Received).Abs() > time.Second {
			t.Errorf("%+v", st)
		}
		if got := g.found(t, Search{Destination: "some", State: StateWaiting}); !slices.Equal(got, []string{"text", "image", "late"}) {
			t.Error(got)
		}
		if got := g.found(t, Search{State: StateUnrouted, Type: types("message.created")[0]}); len(got) != 1000 || slices.Contains(got, "late") {
			t.Errorf("%d are unrouted", len(got))
		}
		if h, err := g.q.History(t.Context(), first.Key); err != nil || len(h.Destinations) != 1 || h.Destinations[0].Destination != "few" {
			t.Errorf("%+v, %v", h, err)
		}
		for _, name := range []string{"some", "few"} {
			if err := g.q.Resume(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			g.drain(t, name)
		}
		some.wants(t, "text", "image", "late")
		few.wants(t, "video")
		if n := len(all.all()); n != 0 {
			t.Errorf("%d came to another destination", n)
		}
		eventually(t, "the progress", func() bool { // is written later
			return slices.Equal(g.found(t, Search{State: StateDelivered}), []string{"video", "text", "image", "late"})
		})
		g.wantReplayed(t, Selection{Since: time.Unix(0, 0), DryRun: true}, 4)
		g.wantReplayed(t, Selection{Since: time.Unix(0, 0), Destination: "some"}, 3)
		g.wantReplayed(t, Selection{Keys: keys(noKind, whole)}, 0)
		g.wantReplayed(t, Selection{Keys: keys(first)}, 1)
		eventually(t, "the replay", func() bool { return len(some.all()) == 6 && len(few.all()) == 2 })
	})
}

// TestConditionsChange shows that conditions that change apply to all that has not been
// taken yet, as types do, whether they come, change or go, in a reload or a restart.
func TestConditionsChange(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		d := newDestination("a", r.deliver)
		d.Concurrency = 1
		g := start(t, s, d)
		waitDeclared(t, g.g)
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.keep(t, ofKind("1", "text"), ofKind("2", "image"), ofKind("3", "video"))
		for _, c := range []struct {
			when []envelope.Condition
			want int64
		}{
			{nil, 3}, {whenKind("text"), 1}, {whenKind("text", "image"), 2}, {whenKind("other"), 0}, {nil, 3}, {whenKind("image", "video"), 2},
		} {
			d.When = c.when
			g.reload(t, d)
			waitDeclared(t, g.g)
			if st := g.status(t, "a"); st.Backlog != c.want {
				t.Errorf("%v: %+v", c.when, st)
			}
		}
		g.stop(t)
		g = start(t, s, d)
		waitDeclared(t, g.g)
		if st := g.status(t, "a"); st.Backlog != 2 || !st.Paused {
			t.Errorf("%+v", st)
		}
		if err := g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.drain(t, "a")
		r.wants(t, "2", "3")
	})
}

// TestConditionsOfSource shows that a destination that gets another source takes what it
// has not taken yet of the former one by its conditions.
func TestConditionsOfSource(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		d := newDestination("a", r.deliver)
		d.Concurrency = 1
		d.When = whenKind("text")
		g := start(t, s, d)
		waitDeclared(t, g.g)
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.keep(t, ofKind("1", "text"), ofKind("2", "image"))
		d.Source = "/other"
		g.reload(t, d)
		waitDeclared(t, g.g)
		after := ofKind("4", "text")
		after.Source = "/other"
		g.keep(t, ofKind("3", "text"), after)
		if st := g.status(t, "a"); st.Backlog != 2 {
			t.Errorf("%+v", st)
		}
		if err := g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.drain(t, "a")
		r.wants(t, "1", "4")
	})
}

// TestConditionsOrdered shows that an event that a destination does not take does not
// hold up its partition key.
func TestConditionsOrdered(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		d := ordered("a", r.deliver)
		d.When = whenKind("text")
		g := start(t, s, d)
		for i, kind := range []string{"image", "text", "video", "text", "text", "image"} {
			e := ofKind(fmt.Sprint(i), kind)
			e.PartitionKey = "c-1"
			g.keep(t, e)
		}
		g.drain(t, "a")
		r.wants(t, "1", "3", "4")
	})
}

// TestConditionsRetention shows that a destination that is paused keeps only events for
// which its conditions hold.
func TestConditionsRetention(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Retention = time.Hour
		d := newDestination("a", new(receiver).deliver)
		d.When = whenKind("text")
		g := start(t, s, d)
		waitDeclared(t, g.g)
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.keep(t, ofKind("1", "image"), ofKind("2", "text"), ofKind("3", "video"))
		time.Sleep(3 * time.Hour)
		if got := g.bodies(t); !slices.Equal(got, []string{"2"}) {
			t.Errorf("%v are kept", got)
		}
		g.wantBytes(t)
	})
}

// TestUnknownConditions shows that retention keeps an event whose body could not be read.
func TestUnknownConditions(t *testing.T) {
	part := logPart{events: []loggedEvent{{seq: 1, delivered: true}, {seq: 2, delivered: true}, {seq: 3, delivered: true}, {seq: 4, delivered: true}}}
	part.keepAwaited([]int64{1, 2, 3}, map[int64]bool{1: true, 2: false})
	for i, want := range []bool{false, true, false, true} {
		if part.events[i].delivered != want {
			t.Errorf("%d: %t", i+1, part.events[i].delivered)
		}
	}
}

// TestFilterWithoutConditions shows that the row of a destination that was written before
// there were conditions is still read.
func TestFilterWithoutConditions(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		d := newDestination("a", new(receiver).deliver)
		d.Types = types("message.*")
		g := start(t, s, d)
		waitDeclared(t, g.g)
		const before = `{"source":"/webhooks/test","types":[["message","*"]]}`
		if n := g.number(t, `SELECT count(*) FROM webhooks_destinations WHERE filter = '`+before+`'`); n != 1 {
			t.Error("a filter without conditions is not stored as before")
		}
		d.When = whenKind("text")
		g.reload(t, d)
		waitDeclared(t, g.g)
		const now = `{"source":"/webhooks/test","types":[["message","*"]],"when":[{"path":"data.kind","is":["text"]}]}`
		if n := g.number(t, `SELECT count(*) FROM webhooks_destinations WHERE filter = '`+now+`'`); n != 1 {
			t.Error("the conditions are not stored")
		}
	})
}

// TestVerdicts shows that the body of an event is read once for equal conditions, and
// again once its number may be that of another event.
func TestVerdicts(t *testing.T) {
	var v verdicts
	e := newEra("1")
	held := make(map[int64]bool)
	seqs := []int64{1, 64, 65, 256, 257, 1000}
	if unknown := v.recall(e, "x", seqs, held); !slices.Equal(unknown, seqs) || len(held) != 0 {
		t.Error(unknown, held)
	}
	v.note(e, "x", map[int64]bool{1: true, 64: false, 65: true, 257: true})
	if unknown := v.recall(e, "x", seqs, held); !slices.Equal(unknown, []int64{256, 1000}) || fmt.Sprint(held) != "map[1:true 64:false 65:true 257:true]" {
		t.Error(unknown, held)
	}
	if unknown := v.recall(e, "y", seqs, held); !slices.Equal(unknown, seqs) {
		t.Error("other conditions are not apart")
	}
	if unknown := v.recall(newEra("2"), "x", seqs, held); !slices.Equal(unknown, seqs) {
		t.Error("another era has the same verdicts")
	}
	for block := range int64(maxVerdicts + 1) {
		v.note(e, "x", map[int64]bool{block*blockEvents + 1: true})
	}
	if n := len(v.blocks); n > maxVerdicts {
		t.Errorf("%d blocks are remembered", n)
	}
}

func TestRefusal(t *testing.T) {
	body := ofKind("1", "text").Body
	for _, c := range []struct {
		filter Filter
		want   string
	}{
		{Filter{}, ""},
		{Filter{Types: types("contact.*", "message.*"), When: whenKind("text")}, ""},
		{Filter{Types: types("contact.*", "deal.created"), When: whenKind("image")}, "types contact.* deal.created"},
		{Filter{When: append(whenKind("text"), whenKind("image", "video")...)}, "when data.kind is image video"},
		{Filter{When: []envelope.Condition{{Path: "data.kind", IsNot: []string{"text"}}}}, "when data.kind is not text"},
	} {
		if got := c.filter.Refusal("message.created", body); got != c.want {
			t.Errorf("%+v: %q, want %q", c.filter, got, c.want)
		}
	}
}
