package queue

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// model is what a queue holds, in the simplest form.
type model struct {
	r            *rand.Rand
	events       []*Event // in order
	destinations []destinationRow
	deferred     map[int64]map[string]deferredStatus
	discarded    map[int64]map[string]bool
}

// pick returns one of some values.
func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// newModel makes up events and what became of them.
func newModel(n int, begin time.Time) *model {
	m := &model{
		r: rand.New(rand.NewPCG(1, 2)), deferred: make(map[int64]map[string]deferredStatus), discarded: make(map[int64]map[string]bool),
	}
	for i := range n {
		e := newEvent(fmt.Sprint(i), pick(m.r, "", "c-1", "c-2", fmt.Sprint("c-", m.r.IntN(500))))
		e.Source = pick(m.r, "/webhooks/a", "/webhooks/a", "/webhooks/b")
		e.Provider = pick(m.r, "one", "two")
		e.Type = pick(m.r, "message.created", "message.updated", "contact.created", "x")
		e.Subject = pick(m.r, "", "s-1", fmt.Sprint("s-", m.r.IntN(300)))
		e.ID = pick(m.r, fmt.Sprint(i), "same")
		// Nearly in order, as it is with several gateways.
		e.Received = begin.Add(time.Duration(i)*time.Second + time.Duration(m.r.IntN(3000))*time.Millisecond).Truncate(time.Microsecond)
		e.Body = fmt.Appendf(nil, `{"n":%d,"text":"%s"}`, i, pick(m.r, "plain", "Grüße", `say \"hi\"`, `a\\b`, "say"))
		e.Original = pick(m.r, 0, 2, 2)
		m.events = append(m.events, e)
	}
	return m
}

// addStates makes up destinations and deliveries of events, which have numbers now.
func (m *model) addStates() {
	end := m.events[len(m.events)-1].Seq
	at := func() int64 { return m.r.Int64N(end) + 1 }
	a, b := Filter{Source: "/webhooks/a"}, Filter{Source: "/webhooks/b", Types: types("message.*")}
	m.destinations = []destinationRow{
		{name: "all", filter: a, position: end},
		{name: "behind", filter: a, position: end / 2},
		{name: "gone", filter: b, position: end / 3, gaps: []gap{{From: end / 2}}},
		{name: "picky", filter: Filter{Source: "/webhooks/b", Types: types("contact.*", "x"), When: []envelope.Condition{{Path: "text", Is: []string{"plain", "say*"}}}}, position: end / 2},
		{name: "shy", filter: Filter{Source: "/webhooks/a", When: []envelope.Condition{{Path: "text", IsNot: []string{"plain"}}, {Path: "n", IsNot: []string{"*7"}}}}, position: end / 2, gaps: []gap{{From: end * 2 / 3, To: end * 3 / 4}}},
		{name: "moved", filter: b, position: end * 2 / 3, gaps: []gap{{From: end / 4, To: end / 3}, {From: end / 2, To: end * 3 / 4, Source: "/webhooks/a"}}},
	}
	for range len(m.events) / 5 {
		seq, d := at(), pick(m.r, "all", "behind", "gone", "moved", "picky", "shy")
		if m.deferred[seq] == nil {
			m.deferred[seq] = make(map[string]deferredStatus)
		}
		m.deferred[seq][d] = deferredStatus{state: pick(m.r, stateDead, stateRetry, stateRunning, stateParked), attempts: m.r.IntN(3), status: 500, text: "answered 500"}
	}
	for range len(m.events) / 10 {
		m.discarded[at()] = map[string]bool{pick(m.r, "all", "moved"): true}
	}
}

// remove removes some events, as a sweep does, and returns their numbers.
func (m *model) remove() (removed []int64) {
	m.events = slices.DeleteFunc(m.events, func(e *Event) bool {
		i := e.Seq - m.events[0].Seq
		gone := m.deferred[e.Seq] == nil && (i > 300 && i < 900 && m.r.IntN(50) > 0 || m.r.IntN(20) == 0)
		if gone {
			removed = append(removed, e.Seq)
		}
		return gone
	})
	return removed
}

// write brings the queue to what the model holds.
func (m *model) write(t testing.TB, g *gateway, removed []int64) {
	t.Helper()
	if err := g.q.do(func(t *tx) error {
		for _, d := range m.destinations {
			filter, _ := json.Marshal(d.filter)
			gaps, _ := json.Marshal(append([]gap{}, d.gaps...))
			if err := t.exec(`INSERT INTO webhooks_destinations (name, filter, position, begun, gaps, paused, holder, lease) VALUES ($1, $2, $3, $3, $4, 0, '', 0)`,
				d.name, string(filter), d.position, string(gaps)); err != nil {
				return err
			}
		}
		for _, e := range m.events {
			for name, d := range m.deferred[e.Seq] {
				if err := t.exec(`INSERT INTO webhooks_deliveries (seq, name, state, due, attempts, replay, tried, status, error, partition_key, received, size)
					VALUES ($1, $2, $3, $7, $4, 0, $7, $5, $6, '', 0, 0)`, e.Seq, name, d.state, d.attempts, d.status, d.text, t.micros(time.Now())); err != nil {
					return err
				}
			}
			for name := range m.discarded[e.Seq] {
				row := attemptsRow{block: blockOf(e.Seq), ended: t.micros(time.Now())}
				row.add(endedAttempt{place: int(e.Seq-1) % blockEvents, number: 1, status: 410, outcome: OutcomeDead, error: "answered 410"})
				if err := t.insertAttempts(name, []*attemptsRow{&row}); err != nil {
					return err
				}
			}
		}
		return t.exec(`DELETE FROM webhooks_events WHERE seq `+t.store.isListed(1), t.store.list(removed))
	}); err != nil {
		t.Fatal(err)
	}
}

// takes says which events of their source the destinations of a model take. What is not
// an envelope has no values.
var takes = map[string]func(e *Event) bool{
	"all":    func(*Event) bool { return true },
	"behind": func(*Event) bool { return true },
	"gone":   func(e *Event) bool { return strings.HasPrefix(e.Type, "message.") },
	"moved":  func(e *Event) bool { return strings.HasPrefix(e.Type, "message.") },
	"picky": func(e *Event) bool {
		text := textOf(e)
		return !strings.HasPrefix(e.Type, "message.") && e.Original > 0 && (text == "plain" || strings.HasPrefix(text, "say"))
	},
	"shy": func(e *Event) bool {
		return e.Original == 0 || textOf(e) != "plain" && !strings.Contains(string(e.Body), `7,"text"`)
	},
}

// textOf returns the text in the body of an event of a model.
func textOf(e *Event) string {
	var body struct{ Text string }
	_ = json.Unmarshal(e.Body, &body)
	return body.Text
}

// states returns what became of an event, by destination.
func (m *model) states(e *Event) map[string]State {
	states := make(map[string]State)
	for _, d := range m.destinations {
		if row, ok := m.deferred[e.Seq][d.name]; ok {
			states[d.name] = map[string]State{stateDead: StateDead, stateParked: StateParked, stateRetry: StateRetrying, stateRunning: StateRetrying}[row.state]
			if row.attempts == 0 || row.attempts == 1 && row.state == stateRunning {
				if states[d.name] == StateRetrying {
					states[d.name] = StateWaiting
				}
			}
			continue
		}
		source := d.filter.Source
		for _, g := range d.gaps {
			if e.Seq > g.From && (e.Seq <= g.To || g.To == 0) {
				source = g.Source
			}
		}
		if source != e.Source || !takes[d.name](e) {
			continue
		}
		switch {
		case e.Seq > d.position:
			states[d.name] = StateWaiting
		case m.discarded[e.Seq][d.name]:
			states[d.name] = StateDiscarded
		default:
			states[d.name] = StateDelivered
		}
	}
	return states
}

// selects reports whether a search selects an event.
func (m *model) selects(s Search, e *Event) bool {
	states := m.states(e)
	isState := s.State == StateUnrouted && len(states) == 0 && s.Destination == "" || s.State == "" && s.Destination == ""
	for name, state := range states {
		isState = isState || (s.Destination == "" || s.Destination == name) && (s.State == "" || s.State == state)
	}
	return isState &&
		(s.Provider == "" || s.Provider == e.Provider) && (s.Source == "" || s.Source == e.Source) &&
		(s.Subject == "" || s.Subject == e.Subject) && (s.PartitionKey == "" || s.PartitionKey == e.PartitionKey) &&
		(s.ID == "" || s.ID == e.ID) && (len(s.Type) == 0 || s.Type.Match(e.Type)) &&
		(s.Since.IsZero() || !e.Received.Before(s.Since)) && (s.Until.IsZero() || e.Received.Before(s.Until)) &&
		(s.Text == "" || strings.Contains(string(e.Body), s.Text) || strings.Contains(textOf(e), s.Text))
}

// search makes up a search.
func (m *model) search() (s Search) {
	r, e := m.r, m.events[m.r.IntN(len(m.events))]
	one := func(n int) bool { return r.IntN(n) == 0 }
	if one(5) {
		s.Provider = pick(r, "one", "two", "three")
	}
	if one(5) {
		s.Source = pick(r, "/webhooks/a", "/webhooks/b", "/webhooks/c")
	}
	if one(4) {
		s.Type = envelope.TypePattern(strings.Split(pick(r, "message.*", "*.created", "message.created", "nothing", "*"), "."))
	}
	if one(5) {
		s.Subject = pick(r, e.Subject, "nothing")
	}
	if one(5) {
		s.PartitionKey = pick(r, e.PartitionKey, "nothing")
	}
	if one(8) {
		s.ID = pick(r, e.ID, "same")
	}
	if one(4) {
		s.Destination = pick(r, "all", "behind", "gone", "moved", "picky", "shy")
	}
	if one(2) {
		s.State = pick(r, StateWaiting, StateRetrying, StateParked, StateDelivered, StateDead, StateDiscarded, StateUnrouted)
	}
	if one(5) {
		s.Since = e.Received
	}
	if one(5) {
		s.Until = e.Received.Add(pick(r, time.Microsecond, 0, time.Hour))
	}
	if one(6) {
		s.Text = pick(r, "plain", `say "hi"`, "Grüße", `a\b`, "say", "nothing")
	}
	return s
}

// all returns the numbers that a search finds, page by page.
func (g *gateway) all(t testing.TB, s Search, limit int) (seqs []int64) {
	t.Helper()
	for before := int64(0); ; {
		found, err := g.q.Search(t.Context(), s, before, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found.Events {
			seqs = append(seqs, e.Seq)
		}
		if len(found.Events) > limit || found.Before != 0 && (len(found.Events) == limit) != found.SearchedTo.IsZero() {
			t.Fatalf("%+v", found)
		}
		if before = found.Before; before == 0 {
			return seqs
		}
	}
}

// TestSearch compares searches with a model, while all of the log is indexed, part of it,
// and with damage.
func TestSearch(t *testing.T) {
	searches := 40
	if isRaced { // SQLite takes twenty times as long
		searches = 6
	}
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		m := newModel(3000, time.Now().Add(-time.Hour))
		for part := range slices.Chunk(m.events, 100) {
			g.keep(t, part...)
		}
		m.addStates()
		m.write(t, g, m.remove())
		eventually(t, "the index", func() bool { return g.number(t, `SELECT count(*) FROM webhooks_index`) == 11 })
		for _, damage := range []string{
			``,
			`DELETE FROM webhooks_index WHERE block IN (2, 5, 6, 10)`,
			`UPDATE webhooks_index SET entries = substr(entries, 1, 100) WHERE block IN (1, 7)`,
			`DELETE FROM webhooks_index`,
		} {
			if damage != "" {
				if err := g.q.do(func(t *tx) error { return t.exec(damage) }); err != nil {
					t.Fatal(err)
				}
			}
			for range searches {
				m.compare(t, g)
			}
		}
	})
}

// compare makes up a search, and compares what it finds with the model.
func (m *model) compare(t *testing.T, g *gateway) {
	t.Helper()
	s := m.search()
	var want []int64
	for _, e := range slices.Backward(m.events) {
		if m.selects(s, e) {
			want = append(want, e.Seq)
		}
	}
	limit := pick(m.r, 1000, 1000, 7, 100)
	if limit*10 < len(want) {
		limit = 300
	}
	if got := g.all(t, s, limit); !slices.Equal(got, want) {
		t.Errorf("%+v found %d, want %d, with pages of %d: %v, want %v", s, len(got), len(want), limit, got[:min(len(got), 20)], want[:min(len(want), 20)])
	}
}

// TestSummary compares what a search says of each event with the model.
func TestSummary(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		m := newModel(600, time.Now().Add(-time.Hour))
		g.keep(t, m.events...)
		m.addStates()
		m.write(t, g, m.remove())
		found, err := g.q.Search(t.Context(), Search{}, 0, 1000)
		if err != nil || len(found.Events) != len(m.events) || found.Before != 0 || !found.SearchedTo.IsZero() {
			t.Fatal(len(found.Events), found.Before, found.SearchedTo, err)
		}
		slices.SortFunc(found.Events, func(a, b Summary) int { return cmp.Compare(a.Seq, b.Seq) })
		for i, got := range found.Events {
			e := m.events[i]
			states := make(map[string]State)
			for _, d := range got.Destinations {
				states[d.Destination] = d.State
				if row, ok := m.deferred[e.Seq][d.Destination]; ok && (d.Attempt != row.attempts || d.LastStatus != 500 || d.LastError != "answered 500") {
					t.Errorf("%+v", d)
				}
				if d.State == StateDiscarded && (d.Attempt != 1 || d.LastStatus != 410 || d.LastError != "answered 410") {
					t.Errorf("%+v", d)
				}
			}
			if want := m.states(e); !reflect.DeepEqual(states, want) {
				t.Errorf("%d: %v, want %v", e.Seq, states, want)
			}
			got.Destinations = nil
			want := Summary{Seq: e.Seq, ID: e.Key.String(), EventID: e.ID, Provider: e.Provider, Source: e.Source, Type: e.Type, Subject: e.Subject,
				PartitionKey: e.PartitionKey, Received: e.Received.UTC(), Size: int64(len(e.Body)), stored: e.size()}
			if s.Engine == PostgreSQL { // whose clock differs a little
				if off := got.Received.Sub(want.Received).Abs(); off > time.Second {
					t.Errorf("received %s, want %s", got.Received, want.Received)
				}
				got.Received = want.Received
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
	})
}
