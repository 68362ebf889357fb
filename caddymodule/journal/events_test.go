package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// journalOf returns a journal of a queue and a memory.
func journalOf(q *fakeQueue, m *Memory) *Journal {
	j := New(nil, m, nil)
	if q != nil {
		j.stored = q
	}
	return j
}

// allEvents reads all pages, and calls between before each but the first.
func allEvents(t *testing.T, j *Journal, s queue.Search, limit int, between func()) (ids []string, pages []Events) {
	t.Helper()
	var cursor string
	for {
		page, err := j.Events(t.Context(), s, Page{cursor, limit})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Events) > limit {
			t.Fatalf("%d events on a page, want at most %d", len(page.Events), limit)
		}
		for _, e := range page.Events {
			ids = append(ids, e.ID)
		}
		pages = append(pages, page)
		if cursor = page.Next; cursor == "" {
			return ids, pages
		}
		if len(pages) > 10_000 {
			t.Fatal("the list does not end")
		}
		between()
	}
}

// TestEventsMerge shows that every event that was there is on one page, in the order of
// time, while others come in.
func TestEventsMerge(t *testing.T) {
	for _, c := range []struct {
		name           string
		stored, direct int
		few            int
	}{
		{"nothing", 0, 0, 0},
		{"a queue", 50, 0, 0},
		{"direct events", 0, 50, 0},
		{"both", 50, 50, 0},
		{"few in the queue", 2, 50, 0},
		{"few direct events", 50, 2, 0},
		{"searches that end early", 50, 50, 3},
	} {
		for _, limit := range []int{1, 3, 7, 100, 1000} {
			t.Run(fmt.Sprintf("%s, by %d", c.name, limit), func(t *testing.T) {
				m, clock := newTestMemory()
				a, b := m.OpenBlock("notifly", "/a"), m.OpenBlock("wotnot", "/b")
				q := &fakeQueue{few: c.few}
				random := rand.New(rand.NewPCG(1, uint64(limit)))
				var want []string
				stored, handed := 0, 0
				come := func(toQueue bool) string {
					clock.at = clock.at.Add(time.Second)
					if toQueue {
						stored++
						q.add(int64(stored), clock.at)
						return q.events[0].ID
					}
					handed++
					of := a
					if handed%3 == 0 {
						of = b
					}
					e := direct(of.source, fmt.Sprint(handed), clock.at, "{}")
					of.Handled(e)
					return e.Key.String()
				}
				for left := [2]int{c.stored, c.direct}; left[0]+left[1] > 0; {
					i := random.IntN(2)
					if left[i] == 0 {
						continue
					}
					left[i]--
					want = append(want, come(i == 0))
				}
				slices.Reverse(want)
				ids, _ := allEvents(t, journalOf(q, m), queue.Search{}, limit, func() {
					come(true)
					come(false)
				})
				if !slices.Equal(ids, want) {
					t.Errorf("got %q, want %q", ids, want)
				}
			})
		}
	}
}

// TestEventsSearchedTo shows that a page of a search for a text that ended early says how
// far it came, and that direct events that are older are on a later page.
func TestEventsSearchedTo(t *testing.T) {
	m, _ := newTestMemory()
	b := m.OpenBlock("notifly", "/a")
	q := &fakeQueue{few: 10}
	for i := range 30 {
		q.add(int64(i+1), noon.Add(time.Duration(i)*time.Second))
	}
	b.Handled(direct("/a", "old", noon.Add(-time.Second), `"needle"`))
	b.Handled(direct("/a", "new", noon.Add(25*time.Second), `"needle"`))
	_, pages := allEvents(t, journalOf(q, m), queue.Search{Text: "needle"}, 100, func() {})
	var got []string
	for _, page := range pages {
		line := ""
		for _, e := range page.Events {
			line += e.EventID + " "
		}
		if !page.SearchedTo.IsZero() {
			line += page.SearchedTo.Sub(noon).String()
		}
		got = append(got, line)
	}
	if want := []string{"new 19s", "9s", "old "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEventsErrors(t *testing.T) {
	m, _ := newTestMemory()
	broken := errors.New("broken")
	if _, err := journalOf(&fakeQueue{err: broken}, m).Events(t.Context(), queue.Search{}, Page{"", 10}); !errors.Is(err, broken) {
		t.Errorf("a queue that fails: %v", err)
	}
	j := journalOf(&fakeQueue{}, m)
	for _, text := range []string{
		"x", "%%%", "eyJ2IjoxfQ", cursor{}.String(), cursor{"queue": 0}.String(), cursor{"queue": -1}.String(),
		cursor{"queue": 1}.String() + "=", cursor{fmt.Sprint(make([]int, 1000)): 1}.String(),
		"eyJ2IjoyLCJiIjp7InF1ZXVlIjoxfX0",         // of another version
		"eyJ2IjoxLCJiIjp7InF1ZXVlIjoxfSwiYyI6MX0", // with another member
		"eyJ2IjoxLCJiIjp7InF1ZXVlIjoxfX17fQ",      // with something behind it
	} {
		if _, err := j.Events(t.Context(), queue.Search{}, Page{text, 10}); !errors.Is(err, ErrCursor) {
			t.Errorf("the cursor %.40q: %v", text, err)
		}
		if _, err := j.Refusals(RefusalFilter{}, Page{text, 10}); !errors.Is(err, ErrCursor) {
			t.Errorf("the cursor %.40q for refusals: %v", text, err)
		}
	}
}

// TestEventsAfterRestart shows that a cursor of an earlier process repeats nothing.
func TestEventsAfterRestart(t *testing.T) {
	m, _ := newTestMemory()
	b := m.OpenBlock("notifly", "/a")
	for i := range 3 {
		b.Handled(direct("/a", fmt.Sprint(i), noon, "{}"))
		b.Refused(Exchange{Time: noon}, Refusal{})
	}
	events, _ := journalOf(nil, m).Events(t.Context(), queue.Search{}, Page{"", 2})
	refusals, _ := journalOf(nil, m).Refusals(RefusalFilter{}, Page{"", 2})
	if events.Next == "" || refusals.Next == "" {
		t.Fatal("there is no next page")
	}
	m, _ = newTestMemory()
	b = m.OpenBlock("notifly", "/a")
	b.Handled(direct("/a", "new", noon, "{}"))
	b.Refused(Exchange{Time: noon}, Refusal{})
	after, err := journalOf(nil, m).Events(t.Context(), queue.Search{}, Page{events.Next, 2})
	if err != nil || len(after.Events) > 0 || after.Next != "" {
		t.Errorf("%+v, %v", after, err)
	}
	refusedAfter, err := journalOf(nil, m).Refusals(RefusalFilter{}, Page{refusals.Next, 2})
	if err != nil || len(refusedAfter.Refusals) > 0 || refusedAfter.Next != "" {
		t.Errorf("%+v, %v", refusedAfter, err)
	}
}

func TestEvent(t *testing.T) {
	m, _ := newTestMemory()
	b := m.OpenBlock("notifly", "/a")
	handed := direct("/a", "1", noon, `{"data":{"original":{}}}`)
	handed.Original = 2
	b.Handled(handed)
	stored := envelope.NewKey("/b", "1")
	q := &fakeQueue{events: []queue.Summary{{Seq: 1, ID: stored.String()}}}
	j := journalOf(q, m)
	for _, key := range []envelope.Key{handed.Key, stored} {
		h, err := j.Event(t.Context(), key)
		if err != nil || h.ID != key.String() || string(h.OriginalBytes) != "{}" || string(h.Envelope) != `{"data":{"original":{}}}` {
			t.Errorf("%s: %+v, %v", key, h, err)
		}
	}
	if _, err := j.Event(t.Context(), envelope.Key{}); !errors.Is(err, queue.ErrUnknown) {
		t.Errorf("an unknown event: %v", err)
	}
	q.err = queue.ErrUnavailable
	if _, err := j.Event(t.Context(), handed.Key); err != nil {
		t.Errorf("a direct event while the queue does not answer: %v", err)
	}
	if _, err := j.Event(t.Context(), stored); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("a stored event while the queue does not answer: %v", err)
	}
	if _, err := journalOf(nil, m).Event(context.Background(), stored); !errors.Is(err, queue.ErrUnknown) {
		t.Errorf("without a queue: %v", err)
	}
}

// TestEventsOfSeveralLogs shows that the logs of a queue are merged in order of time, each
// event on one page, while others come in and while searches of one log end early.
func TestEventsOfSeveralLogs(t *testing.T) {
	for _, few := range []int{0, 7} {
		for _, limit := range []int{1, 10, 64, 1000} {
			t.Run(fmt.Sprintf("few %d, by %d", few, limit), func(t *testing.T) {
				m, clock := newTestMemory()
				logs := []*fakeQueue{{}, {few: few}, {}, {}}
				q := logs[0]
				q.more = logs[1:]
				random := rand.New(rand.NewPCG(2, uint64(limit)))
				come := func(log int) string {
					clock.at = clock.at.Add(time.Second)
					of := logs[log]
					of.add(int64(len(of.events)+1), clock.at)
					of.events[0].ID = fmt.Sprint(log, "/", len(of.events))
					return of.events[0].ID
				}
				var want []string
				for range 1000 {
					want = append(want, come(random.IntN(3))) // none in the last one
				}
				slices.Reverse(want)
				ids, _ := allEvents(t, journalOf(q, m), queue.Search{}, limit, func() {
					for log := range logs {
						come(log)
					}
				})
				if !slices.Equal(ids, want) {
					t.Errorf("got %d events, want %d: %.300q", len(ids), len(want), ids)
				}
			})
		}
	}
}

// TestCursorOfOneLog shows that a cursor from before a queue had several logs is good: what
// the new logs have came in after its first page.
func TestCursorOfOneLog(t *testing.T) {
	m, _ := newTestMemory()
	q := new(fakeQueue)
	for i := range 4 {
		q.add(int64(i+1), noon.Add(time.Duration(i)*time.Second))
	}
	page, err := journalOf(q, m).Events(t.Context(), queue.Search{}, Page{"", 2})
	if err != nil {
		t.Fatal(err)
	}
	if want := (cursor{"queue": 3}).String(); page.Next != want {
		t.Errorf("the cursor is %s, want %s", page.Next, want)
	}
	q.more = []*fakeQueue{{}}
	q.more[0].add(1, noon.Add(time.Minute))
	page, err = journalOf(q, m).Events(t.Context(), queue.Search{}, Page{page.Next, 10})
	if err != nil || len(page.Events) != 2 || page.Events[0].ID != "stored 2" || page.Next != "" {
		t.Errorf("%v %v", page, err)
	}
}
