package caddymodule_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

// TestTail follows what happens at a gateway, all of it and parts.
func TestTail(t *testing.T) {
	onEngines(t, func(t *testing.T, queue string) {
		secret := secretIn(t, "SECRET")
		app, _ := startWithoutCRM(t)
		startObserved(t, app, queue)
		feeds := map[string]*follower{}
		for query := range tailed {
			feeds[query] = follow(t, query)
		}
		sendNotifly(t, secret, "1", "1")
		refuseNotifly(t, "2")
		sendDirect(t, secret, "hello")
		for query, want := range tailed {
			var got []string
			for range want {
				got = append(got, describe(feeds[query].nextLine()))
			}
			// What happens at two destinations at once has no order.
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("tail%s has\n%s\nwant\n%s", query, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		for query, f := range feeds {
			if n := len(f.messages); n > 0 {
				t.Errorf("tail%s has %d more messages, such as %+v", query, n, f.next())
			}
		}
	})
}

// tailed is what TestTail expects, by query.
var tailed = map[string][]string{
	"": {
		"attempt notifly 1 at archive: 1 delivered 200",
		"attempt notifly 1 at crm: 1 retry 502",
		"attempt notifly 1 at crm: 2 dead_letter 502",
		"event notifly 1 accepted",
		"event notifly 1 duplicate",
		"event wotnot accepted",
		"refusal notifly bad_credential 401",
	},
	"?provider=wotnot": {"event wotnot accepted"},
	"?provider=notifly&type=message.*": {
		"attempt notifly 1 at archive: 1 delivered 200",
		"attempt notifly 1 at crm: 1 retry 502",
		"attempt notifly 1 at crm: 2 dead_letter 502",
		"event notifly 1 accepted",
		"event notifly 1 duplicate",
	},
	"?source=/webhooks/wotnot": {"event wotnot accepted"},
	"?source=/webhooks/notifly&partitionkey=c-1&subject=conversations/c-1&id=1&since=1h&destination=archive": {
		"attempt notifly 1 at archive: 1 delivered 200",
	},
	"?state=dead": {"attempt notifly 1 at crm: 2 dead_letter 502"},
	"?text=hello": {"event wotnot accepted"},
	"?provider=notifly&since=1h": {
		"attempt notifly 1 at archive: 1 delivered 200",
		"attempt notifly 1 at crm: 1 retry 502",
		"attempt notifly 1 at crm: 2 dead_letter 502",
		"event notifly 1 accepted",
		"event notifly 1 duplicate",
		"refusal notifly bad_credential 401",
	},
}

// describe returns a line of the feed in words.
func describe(line journal.Line) string {
	switch e, a, r := line.Event, line.Attempt, line.Refusal; {
	case e != nil:
		id := e.EventID + " "
		if e.Provider == "wotnot" {
			id = "" // a hash
		}
		return fmt.Sprintf("event %s %s%s", e.Provider, id, e.Outcome)
	case a != nil:
		return fmt.Sprintf("attempt %s %s at %s: %d %s %d", a.Provider, a.EventID, a.Destination, a.Attempt, a.Outcome, a.Status)
	default:
		return fmt.Sprintf("refusal %s %s %d", r.Provider, r.Reason, r.Status)
	}
}

// TestTailGoesOn follows the feed in parts, each of which begins where the one before
// broke off.
func TestTailGoesOn(t *testing.T) {
	secret := secretIn(t, "SECRET")
	startObserved(t, startApplication(t), ownQueue(t))
	var sent, after []string // events, and the ids of their lines
	send := func(n int) {
		for range n {
			sent = append(sent, sendDirect(t, secret, fmt.Sprint(len(sent))))
		}
	}
	read := func(f *follower, from, to int) {
		t.Helper()
		for _, id := range sent[from:to] {
			m := f.next()
			if line := f.line(m); line.Event == nil || line.Event.ID != id {
				t.Fatalf("%s %s, want the event %s", m.name, m.data, id)
			}
			after = append(after[:min(len(after), from)], m.id)
			from++
		}
	}
	f := follow(t, "")
	send(5)
	read(f, 0, 5)
	f.leave()
	send(5)

	read(follow(t, "", "Last-Event-ID", after[4]), 5, 10)
	read(follow(t, "?after="+url.QueryEscape(after[1])), 2, 10)
	read(follow(t, "?after="+url.QueryEscape(after[1]), "Last-Event-ID", after[6]), 7, 10)
	fresh := follow(t, "", "Last-Event-ID", "")
	read(follow(t, "", "Last-Event-ID", "of-another-process"), 0, 10)
	read(follow(t, "", "Last-Event-ID", "?"), 0, 10)
	send(1)
	read(fresh, 10, 11)
}

// TestTailHead shows that a HEAD request does not follow.
func TestTailHead(t *testing.T) {
	secretIn(t, "SECRET")
	startNotifly(t, startApplication(t))
	for _, c := range []struct {
		query  string
		status int
		want   string
	}{
		{"", 200, "text/event-stream"},
		{"?state=lost", 400, "application/json"},
	} {
		r, err := http.NewRequest(http.MethodHead, "http://"+adminAddress+"/webhooks/tail"+c.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if a := do(t, r); a.status != c.status || a.header.Get("Content-Type") != c.want || a.body != "" {
			t.Errorf("%q: %d %v %q", c.query, a.status, a.header, a.body)
		}
	}
}

// TestTailHeaders shows that nothing between the gateway and a reader holds lines back.
func TestTailHeaders(t *testing.T) {
	secretIn(t, "SECRET")
	startNotifly(t, startApplication(t))
	f := follow(t, "")
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
		if got := f.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
