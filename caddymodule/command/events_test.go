package command

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// manyEvents is an API with n events. It records the queries.
type manyEvents struct {
	t       *testing.T
	n       int
	early   bool // each page ends early, and is empty but for the last
	queries []string
}

func (m *manyEvents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	m.queries = append(m.queries, r.URL.RawQuery)
	limit, _ := strconv.Atoi(query.Get("limit"))
	begin, _ := strconv.Atoi(query.Get("cursor"))
	if r.URL.Path != "/webhooks/events" || limit < 1 || limit > 1000 {
		m.t.Errorf("asked %s", r.RequestURI)
	}
	answer := journal.Events{Events: []journal.Event{}}
	end := min(begin+limit, m.n)
	if m.early && begin < m.n {
		end = begin + 1
		answer.SearchedTo = now
	}
	for i := begin; i < end; i++ {
		answer.Events = append(answer.Events, journal.Event{Summary: queue.Summary{ID: fmt.Sprint("msg_", i), Received: now, Type: "\u009b"}})
	}
	if end < m.n {
		answer.Next = fmt.Sprint(end)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func TestEventsPages(t *testing.T) {
	const more = "The first 50; for more, set --limit or --all.\n"
	for _, c := range []struct {
		args  string
		n     int
		lines int // of the output
		pages int
		notes string
		err   string
	}{
		{"", 0, 1, 1, "", ""},
		{"", 50, 51, 1, "", ""},
		{"", 51, 51, 1, more, ""},
		{"--limit 1500", 2000, 1501, 2, strings.Replace(more, "50", "1500", 1), ""},
		{"--all", 2500, 2501, 3, "", ""},
		{"--json", 2500, 2500, 3, "", ""},
		{"--json --limit 7", 2500, 7, 1, "", ""},
		{"--json", 0, 0, 1, "", ""},
		{"--limit 0", 0, 0, 0, "", "--limit must be at least 1"},
		{"--limit 5 --all", 0, 0, 0, "", "not both"},
		{"--provider=", 0, 0, 0, "", "--provider is empty"},
		{"--until tomorrow", 0, 0, 0, "", "--until: "},
	} {
		api := &manyEvents{t: t, n: c.n}
		got := runOn(t, t.Context(), api, screen{}, "", eventsCommand(), runEvents, strings.Fields(c.args)...)
		if (got.err == nil) != (c.err == "") || got.err != nil && !strings.Contains(got.err.Error(), c.err) {
			t.Errorf("%s: %v", c.args, got.err)
		}
		if lines := strings.Count(got.out, "\n"); lines != c.lines || len(api.queries) != c.pages || got.notes != c.notes {
			t.Errorf("%s: %d lines in %d pages, %q; want %d in %d, %q", c.args, lines, len(api.queries), got.notes, c.lines, c.pages, c.notes)
		}
		if strings.Contains(got.out, "\u009b") {
			t.Errorf("%s prints a control character", c.args)
		}
		if !strings.Contains(c.args, "--json") {
			continue
		}
		for i, line := range strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")[:c.lines] {
			var e journal.Event
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID != fmt.Sprint("msg_", i) || e.Type != "\u009b" {
				t.Fatalf("line %d: %s, %v", i, line, err)
			}
		}
	}
}

// All pages have the same filters, with the same time.
func TestEventsFilters(t *testing.T) {
	api := &manyEvents{t: t, n: 1001}
	got := runOn(t, t.Context(), api, screen{}, "", eventsCommand(), runEvents, "--all", "--since", "2h", "--type", "message.*", "--text", "a&b", "--partitionkey", "c1")
	if got.err != nil || len(api.queries) != 2 {
		t.Fatal(got.err, api.queries)
	}
	first, second := api.queries[0], strings.Replace(api.queries[1], "cursor=1000&", "", 1)
	if !strings.Contains(first, "&partitionkey=c1&since=20") || !strings.HasSuffix(first, "Z&text=a%26b&type=message.%2A") || first != second {
		t.Errorf("%s\n%s", first, second)
	}
}

// A search for a text goes on by itself, and prints how far it came.
func TestEventsSearchGoesOn(t *testing.T) {
	api := &manyEvents{t: t, n: 3, early: true}
	got := runOn(t, t.Context(), api, screen{}, "", eventsCommand(), runEvents, "--text", "x")
	want := strings.Repeat("Searched back to "+now.Local().Format(time.DateTime)+"; going on. Ctrl-C ends it.\n", 2)
	if got.err != nil || strings.Count(got.out, "\n") != 4 || got.notes != want {
		t.Errorf("%+v", got)
	}
}

func TestOutcome(t *testing.T) {
	at := func(states ...queue.DeliveryStatus) journal.Event {
		return journal.Event{Summary: queue.Summary{Destinations: states}}
	}
	direct := func(d journal.Direct) journal.Event { return journal.Event{Direct: &d} }
	again := at(queue.DeliveryStatus{Destination: "crm", State: queue.StateDelivered})
	again.Duplicates = 1200
	for want, e := range map[string]journal.Event{
		"unrouted":                        at(),
		"crm waiting":                     at(queue.DeliveryStatus{Destination: "crm", State: queue.StateWaiting}),
		"crm delivered, 1,200 duplicates": again,
		"archive dead (503), old retrying (no answer), x parked, crm delivered": at(
			queue.DeliveryStatus{Destination: "crm", State: queue.StateDelivered, LastStatus: 500},
			queue.DeliveryStatus{Destination: "archive", State: queue.StateDead, LastStatus: 503},
			queue.DeliveryStatus{Destination: "old", State: queue.StateRetrying},
			queue.DeliveryStatus{Destination: "x", State: queue.StateParked}),
		"crm delivered by replay":       at(queue.DeliveryStatus{Destination: "crm", State: queue.StateDelivered, Replay: true}),
		"crm dead after a replay (500)": at(queue.DeliveryStatus{Destination: "crm", State: queue.StateDead, LastStatus: 500, Replay: true}),
		"crm discarded after a replay":  at(queue.DeliveryStatus{Destination: "crm", State: queue.StateDiscarded, Replay: true}),
		"answered 204 in 3.8 ms":        direct(journal.Direct{Outcome: "accepted", Status: 204, TookMS: 3.84}),
		"answered 502 in 5.0 s":         direct(journal.Direct{Outcome: "upstream", Status: 502, TookMS: 5012}),
		"no answer in 12 ms":            direct(journal.Direct{Outcome: "upstream", TookMS: 12}),
	} {
		got, style := outcomeOf(e)
		wantStyle := plain
		switch {
		case strings.Contains(want, "dead"), strings.Contains(want, "502"), strings.Contains(want, "no answer in"):
			wantStyle = red
		case want == "unrouted":
			wantStyle = yellow
		}
		if got != want || style != wantStyle {
			t.Errorf("%q in %q; want %q in %q", got, style, want, wantStyle)
		}
	}
}

func TestFilterUsage(t *testing.T) {
	for _, name := range journal.FilterNames {
		if filterUsage[name] == "" {
			t.Errorf("--%s has no help", name)
		}
	}
	if len(filterUsage) != len(journal.FilterNames) {
		t.Error("a filter is unknown")
	}
}
