package queue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// bothEngines runs a test with both engines, in real time.
func bothEngines(t *testing.T, test func(t *testing.T, s Settings)) {
	t.Parallel()
	t.Run(SQLite, func(t *testing.T) { test(t, testSettings(t)) })
	t.Run(PostgreSQL, func(t *testing.T) { test(t, postgresSettings(t, sharedServer.database(t))) })
}

// TestPages pages through 100,000 events while new ones come: each comes once.
func TestPages(t *testing.T) {
	n := 100_000
	if isRaced { // SQLite takes twenty times as long
		n = 5_000
	}
	bothEngines(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		store := func(from, n int) {
			var events []*Event
			for i := range n {
				events = append(events, newEvent(fmt.Sprint(from+i), ""))
			}
			g.keep(t, events...)
		}
		for i := 0; i < n; i += 1000 {
			store(i, 1000)
		}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := n; ; i += 10 {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					store(i, 10)
				}
			}
		})
		defer wg.Wait()
		defer close(stop)
		last, pages, counts := int64(math.MaxInt64), 0, make(map[string]int, n)
		for before := int64(0); pages == 0 || before != 0; pages++ {
			found, err := g.q.Search(t.Context(), Search{}, before, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range found.Events {
				if e.Seq >= last {
					t.Fatalf("%d after %d", e.Seq, last)
				}
				last = e.Seq
				counts[e.EventID]++
			}
			before = found.Before
		}
		for i := range n {
			if id := fmt.Sprint(i); counts[id] != 1 {
				t.Errorf("%s came %d times", id, counts[id])
			}
		}
	})
}

// TestWorkOfSearch counts what a search does: an event that does not match is not
// compared, and the number of queries does not grow with the events.
func TestWorkOfSearch(t *testing.T) {
	bothEngines(t, func(t *testing.T, s Settings) {
		counter := new(tripCounter)
		s.tracer = counter
		g := start(t, s)
		g.q.searchTime = time.Minute // on a busy machine, too
		all := newEvents(20_000)
		for i, e := range all {
			e.PartitionKey, e.Subject = fmt.Sprint("c-", i%5000), fmt.Sprint("s-", i%10)
			if i%10_000 == 5_000 {
				e.Type = "rare"
			}
			e.Received = e.Received.Add(time.Duration(i-len(all)) * time.Second)
		}
		for part := range slices.Chunk(all, 1000) {
			g.keep(t, part...)
		}
		g.wantIndexed(t, 20_000/blockEvents)
		for name, c := range map[string]struct {
			search         Search
			found, compare int
		}{
			"key":          {Search{PartitionKey: "c-77"}, 4, 4},
			"absent key":   {Search{PartitionKey: "absent"}, 0, 0},
			"id":           {Search{ID: "12345"}, 1, 1},
			"rare type":    {Search{Type: types("rare")[0]}, 2, 2},
			"absent type":  {Search{Type: types("absent.*")[0]}, 0, 0},
			"time":         {Search{Since: all[300].Received, Until: all[310].Received}, 10, 13}, // see indexSlack
			"future":       {Search{Since: time.Now().Add(time.Hour)}, 0, 0},
			"subject, key": {Search{Subject: "s-7", PartitionKey: "c-78"}, 0, 0},
			"waiting":      {Search{State: StateWaiting}, 0, 0},
			"dead":         {Search{State: StateDead, Subject: "s-1"}, 0, 0},
		} {
			f, err := g.q.newFinder(t.Context(), c.search, 0)
			if err != nil {
				t.Fatal(err)
			}
			compare := 0
			for f.below > f.oldest {
				if err = f.lookFurther(); err != nil {
					t.Fatal(err)
				}
				compare += len(f.candidates)
				f.candidates = nil
			}
			if compare > c.compare {
				t.Errorf("%s: %d events are compared, want %d", name, compare, c.compare)
			}
			counter.mu.Lock()
			counter.trips = nil
			counter.mu.Unlock()
			found, err := g.q.Search(t.Context(), c.search, 0, 100)
			if err != nil || len(found.Events) != c.found {
				t.Errorf("%s: %d were found, %v", name, len(found.Events), err)
			}
			counter.mu.Lock()
			searches := 0
			for _, trip := range counter.trips {
				if strings.HasPrefix(trip, "SELECT") && strings.Contains(trip, " FROM webhooks_") && !strings.Contains(trip, "webhooks_gateways") {
					searches++
				}
			}
			if searches > 20 || s.Engine == PostgreSQL && searches < 3 {
				t.Errorf("%s: %d queries: %q", name, searches, counter.trips)
			}
			counter.mu.Unlock()
		}
	})
}

// TestSlowSearch has searches end early: the cursor goes on from there, and nothing is
// left out.
func TestSlowSearch(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		begin := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
		events := newEvents(2000)
		for i, e := range events {
			e.Body = fmt.Appendf(nil, "text <%d>", i%1000)
			e.Received = begin.Add(time.Duration(i) * time.Second)
		}
		g.keep(t, events...)
		g.q.searchTime = -1
		for text, want := range map[string][]string{"<777>": {"1777", "777"}, "absent": nil} {
			var got []string
			pages := 0
			last := events[1999].Received.Add(time.Second)
			for before := int64(0); pages == 0 || before != 0; pages++ {
				found, err := g.q.Search(t.Context(), Search{Text: text}, before, 10)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range found.Events {
					got = append(got, e.EventID)
				}
				if before = found.Before; before == 0 {
					break
				}
				if !found.SearchedTo.Before(last) || events[before-1].Received.Sub(found.SearchedTo).Abs() > time.Second {
					t.Fatalf("searched to %s at %d, after %s", found.SearchedTo, before, last)
				}
				last = found.SearchedTo
			}
			if !slices.Equal(got, want) || pages < 3 {
				t.Errorf("%s: %v on %d pages", text, got, pages)
			}
		}
	})
}

// TestSearchesAtATime shows that searches leave connections to others, and wait for each
// other no longer than their client does.
func TestSearchesAtATime(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		release := make(chan struct{})
		var wg sync.WaitGroup
		for range maxSearches {
			wg.Go(func() {
				_ = g.q.inTurn(context.Background(), func() error { <-release; return nil })
			})
		}
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := g.q.Search(ctx, Search{}, 0, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		close(release)
		wg.Wait()
		if _, err := g.q.Search(t.Context(), Search{}, 0, 10); err != nil {
			t.Error(err)
		}
	})
}

func TestSearchErrors(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		if _, err := g.q.Search(t.Context(), Search{Destination: "nobody"}, 0, 10); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
		// What a client sends may be no text.
		g.keep(t, newEvents(300)...)
		for _, s := range []Search{{Subject: "\x00"}, {PartitionKey: "\xff"}, {ID: "\xff", Text: "\xff\x00"}} {
			if found, err := g.q.Search(t.Context(), s, 0, 10); err != nil || len(found.Events) != 0 {
				t.Errorf("%+v, %v", found, err)
			}
		}
		if _, err := g.q.Search(t.Context(), Search{Destination: "\xff\x00"}, 0, 10); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.q.Search(ctx, Search{}, 0, 10); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestTextForms(t *testing.T) {
	for text, want := range map[string][]string{
		"":         nil,
		"plain":    {"plain"},
		"<é & ü>":  {"<é & ü>"},
		`say "hi"`: {`say "hi"`, `say \"hi\"`},
		`a\b`:      {`a\b`, `a\\b`},
		"a\nb":     {"a\nb", `a\nb`},
	} {
		var got []string
		for _, form := range textForms(text) {
			got = append(got, string(form))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
