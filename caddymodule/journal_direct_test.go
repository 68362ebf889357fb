package caddymodule_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// TestDirectEvents shows what the journal remembers of events of direct delivery: what
// became of them, and what the application got, without credentials.
func TestDirectEvents(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			w.WriteHeader(500)
		}
	})
	g := start(t, fmt.Sprintf(`
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	webhooks /original wotnot {
		token {env.SECRET}
		source /original
		format original
	}
	webhooks /notifly notifly {
		secret {env.SECRET}
	}
	%s
	`, app.proxy()))

	t.Run("an event that comes again", func(t *testing.T) {
		body, header, signature := notifly(secret, "1")
		if a := post(t, "/notifly?a=b", body, header, signature, "X-Own", "1"); a.status != 500 {
			t.Fatalf("answered %d", a.status)
		}
		want := func(direct journal.Direct, duplicates int64) {
			t.Helper()
			e := events(t, 10)[0]
			if e.Direct == nil || e.Direct.Outcome != direct.Outcome || e.Direct.Status != direct.Status || e.Direct.TookMS <= 0 || e.Duplicates != duplicates {
				t.Errorf("%+v, %+v; want %+v", e.Summary, e.Direct, direct)
			}
			if e.ID != keyOf("1") || e.EventID != "1" || e.Type != "message.created" || e.Subject != "conversations/c-1" || e.PartitionKey != "c-1" ||
				e.Provider != "notifly" || e.Source != "/webhooks/notifly" || len(e.Destinations) != 0 {
				t.Errorf("%+v", e.Summary)
			}
		}
		want(journal.Direct{Outcome: "upstream", Status: 500}, 0)
		wantStatus(t, 200, "/notifly", body, header, signature)
		want(journal.Direct{Outcome: "accepted", Status: 200}, 1)
		wantStatus(t, 200, "/notifly", body, header, signature)
		want(journal.Direct{Outcome: "accepted", Status: 200}, 2)
		if n := len(events(t, 10)); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
		h := historyOf(t, keyOf("1"))
		if sent := app.requests()[0]; string(h.EnvelopeBytes) != string(sent.Body) || string(h.OriginalBytes) != string(body) {
			t.Errorf("%s\n%s", h.EnvelopeBytes, h.OriginalBytes)
		}
		if r := h.Request; r.Method != "POST" || r.URI != "/notifly?a=b" || r.Header.Get("X-Own") != "1" || r.Header.Get("Content-Type") != "application/json" ||
			r.Header.Get(header) != "" || r.Header.Get("Webhook-Id") != "" || r.RemoteAddr == "" || r.Host == "" {
			t.Errorf("%+v", r)
		}
	})

	t.Run("a batch, and a token", func(t *testing.T) {
		body := batch("1:a", "2:b")
		wantStatus(t, 200, "/wotnot?token="+secret+"&c=d", body, "token", secret)
		wantStatus(t, 200, "/wotnot", body, "token", secret)
		found := events(t, 2)
		for i, want := range []string{"b", "a"} {
			h := historyOf(t, found[i].ID)
			if found[i].Duplicates != 1 || !strings.Contains(string(h.OriginalBytes), `"text":"`+want+`"`) {
				t.Errorf("%+v, %s", found[i], h.OriginalBytes)
			}
		}
		if r := historyOf(t, found[1].ID).Request; r.Header.Get("Token") != "" {
			t.Errorf("%+v", r)
		}
	})

	t.Run("the original", func(t *testing.T) {
		body := batch("1:c", "2:d")
		wantStatus(t, 200, "/original", body, "token", secret)
		e := events(t, 1)[0]
		h := historyOf(t, e.ID)
		if h.Envelope != nil || string(h.OriginalBytes) != string(body) || e.Size != int64(len(body)) || e.Source != "/original" {
			t.Errorf("%+v: %s, %s", e, h.Envelope, h.OriginalBytes)
		}
	})

	t.Run("after a reload", func(t *testing.T) {
		before := len(events(t, 100))
		g.load("again")
		if n := len(events(t, 100)); n != before {
			t.Errorf("%d events, want %d", n, before)
		}
		b := blockOf(t, "/webhooks/notifly")
		if b.AcceptedPerMinute != 1 || b.LastAccepted.IsZero() || b.LastSecret != 1 || b.Note == "" {
			t.Errorf("%+v", b)
		}
	})

	t.Run("without its block", func(t *testing.T) {
		g.change("webhooks /original wotnot", "webhooks /other wotnot")
		g.change("source /original", "source /other")
		for _, e := range events(t, 100) {
			if e.Source == "/original" {
				t.Errorf("an event of a block that is gone: %+v", e)
			}
		}
	})
}

// TestDirectRedaction shows that what a provider's file redacts is not in the journal, and
// that a feed cannot be searched for it.
func TestDirectRedaction(t *testing.T) {
	secret := secretIn(t, "SECRET")
	hidden := newSecret()
	start(t, `
	webhooks /oneroute oneroute {
		token {env.SECRET}
	}
	webhooks /original oneroute {
		token {env.SECRET}
		source /original
		format original
	}
	respond 204
	`)
	body := fmt.Appendf(nil, `{"event":"newMessage","conversation":{"Channel":{"credentials":%q,"name":"ch"}}}`, hidden)
	feed, err := runningJournal(t).Follow(queue.Search{Text: hidden}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	all, err := runningJournal(t).Follow(queue.Search{}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	for _, path := range []string{"/oneroute", "/original"} {
		for range 2 {
			if a := post(t, path+"?token="+secret, body); a.status/100 != 2 {
				t.Fatalf("%s: answered %d", path, a.status)
			}
		}
		h := historyOf(t, events(t, 1)[0].ID)
		if strings.Contains(string(h.OriginalBytes)+string(h.EnvelopeBytes)+h.Request.URI, hidden) || !strings.Contains(string(h.OriginalBytes), `"name":"ch"`) {
			t.Errorf("%s: %s, %s", path, h.OriginalBytes, h.Request.URI)
		}
		if found, err := runningJournal(t).Events(t.Context(), queue.Search{Text: hidden}, journal.Page{Limit: 10}); err != nil || len(found.Events) > 0 {
			t.Errorf("found %+v, %v", found, err)
		}
	}
	for n := 0; n < 4; {
		lines, _, err := all.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		noteJSON(t, lines)
		n += len(lines)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if lines, _, err := feed.Next(ended); err == nil {
		t.Errorf("the feed has %+v", lines)
	}
}
