package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// TestForgery shows that only forms of the console change anything.
func TestForgery(t *testing.T) {
	s := newSite(t, busy())
	ofAna := s.handler.process.forgery.token("ana")
	for name, c := range map[string]struct {
		user, token, site, origin string
		status                    int
	}{
		"a form of the page":                     {"ana", ofAna, "same-origin", "", 303},
		"a client that sends no origin":          {"ana", ofAna, "", "", 303},
		"without a token":                        {"ana", "", "same-origin", "", 403},
		"with the token of another user":         {"bob", ofAna, "same-origin", "", 403},
		"with a made-up token":                   {"ana", strings.Repeat("A", 43), "same-origin", "", 403},
		"from another site":                      {"ana", ofAna, "cross-site", "", 403},
		"from another host of the same site":     {"ana", ofAna, "same-site", "", 403},
		"from another origin, in an old browser": {"ana", ofAna, "", "https://elsewhere.example.com", 403},
	} {
		r := formRequest("/pause", url.Values{"token": {c.token}, "destination": {"crm"}})
		r.Header.Del("Sec-Fetch-Site")
		for header, value := range map[string]string{"Sec-Fetch-Site": c.site, "Origin": c.origin} {
			if value != "" {
				r.Header.Set(header, value)
			}
		}
		w := s.do(c.user, r)
		if changed := s.fake.changed(); w.Code != c.status || (changed == "pause crm") != (c.status == 303) {
			t.Errorf("%s: %d, want %d; changed %q", name, w.Code, c.status, changed)
		}
	}
	// A token in the address does not count: addresses end up in logs.
	r := formRequest("/pause?token="+ofAna, url.Values{"destination": {"crm"}})
	if w := s.do("ana", r); w.Code != 403 {
		t.Errorf("with a token in the address: %d", w.Code)
	}
}

// TestChanges shows what each form does, and which ones ask first.
func TestChanges(t *testing.T) {
	first, second := firstKey.String(), secondKey.String()
	for name, c := range map[string]struct {
		path   string
		form   []string
		status int
		change string
		to     string
	}{
		"pause":                 {"/pause", []string{"destination", "crm"}, 303, "pause crm", "./"},
		"resume":                {"/resume", []string{"destination", "crm"}, 303, "resume crm", "./"},
		"replay one event":      {"/replay", []string{"event", first, "destination", "crm", "back", "events/" + first}, 303, "replay at crm " + first[:8], "./events/" + first + "?job="},
		"replay one everywhere": {"/replay", []string{"event", first}, 303, "replay " + first[:8], "./?job="},
		"discard one asks":      {"/discard", []string{"event", first, "destination", "crm"}, 200, "count at crm " + first[:8], ""},
		"discard one":           {"/discard", []string{"event", first, "destination", "crm", "confirmed", "1"}, 303, "discard at crm " + first[:8], "./?job="},
		"replay a group asks":   {"/replay", []string{"group", "1", "destination", "crm", "cause", "answered 500"}, 200, "count at crm because answered 500 dead", ""},
		"replay a group":        {"/replay", []string{"group", "1", "destination", "crm", "cause", "answered 500", "confirmed", "1", "back", "dead?destination=crm"}, 303, "replay at crm because answered 500 dead", "./dead?destination=crm&job="},
		"discard all of one":    {"/discard", []string{"group", "1", "destination", "crm", "confirmed", "1"}, 303, "discard at crm dead", "./?job="},
		"replay a pick":         {"/replay", []string{"pick", first + " crm"}, 303, "replay at crm " + first[:8], "./?job="},
		"replay picks asks":     {"/replay", []string{"pick", first + " crm", "pick", second + " crm"}, 200, "count at crm " + second[:8] + " " + first[:8], ""},
		"replay picks":          {"/replay", []string{"pick", first + " crm", "pick", second + " archive", "confirmed", "1"}, 303, "replay at crm " + first[:8] + "; replay archive", ""},
		"nothing picked":        {"/replay", nil, 400, "", ""},
		"a group of nobody":     {"/discard", []string{"group", "1", "cause", "answered 500", "confirmed", "1"}, 400, "", ""},
		"not an event":          {"/replay", []string{"event", "msg_x"}, 400, "", ""},
		"not a pick":            {"/discard", []string{"pick", first, "confirmed", "1"}, 400, "", ""},
	} {
		s := newSite(t, busy())
		w := s.post(c.path, c.form...)
		changed := strings.ReplaceAll(s.fake.changed(), "replay at archive "+second[:8], "replay archive")
		if w.Code != c.status || changed != c.change || !strings.HasPrefix(w.Header().Get("Location"), c.to) {
			t.Errorf("%s: %d to %s, %q; want %d to %s, %q", name, w.Code, w.Header().Get("Location"), changed, c.status, c.to, c.change)
		}
	}
}

// TestConfirmation shows that the page that asks leads to what it asked about.
func TestConfirmation(t *testing.T) {
	s := newSite(t, busy())
	w := s.post("/discard", "group", "1", "destination", "crm", "cause", `"<b>`, "back", "dead?destination=crm")
	for _, text := range []string{"Discard <bdi>the dead letters of crm with the cause “&#34;&lt;b&gt;”</bdi>?", "Discard 1</button>", `name="cause" value="&#34;&lt;b&gt;"`, `href="./dead?destination=crm"`, "cannot be undone"} {
		if !strings.Contains(w.Body.String(), text) {
			t.Errorf("no %q in\n%s", text, w.Body)
		}
	}
}

// TestRecord shows that the log has who changed what.
func TestRecord(t *testing.T) {
	s := newSite(t, busy())
	s.post("/pause", "destination", "crm")
	s.post("/replay", "pick", firstKey.String()+" crm", "pick", secondKey.String()+" archive", "confirmed", "1")
	s.fake.change = func(context.Context, queue.Selection) (int64, error) { return 3, errors.New("disk") }
	s.post("/discard", "group", "1", "destination", "crm", "confirmed", "1")
	var got []map[string]any
	for _, line := range s.logs.All() {
		got = append(got, line.ContextMap())
	}
	want := []map[string]any{
		{"user": "ana", "action": "pause", "destination": "crm", "count": int64(1)},
		{"user": "ana", "action": "replay", "destination": "crm,archive", "count": int64(2)},
		{"user": "ana", "action": "discard", "destination": "crm", "count": int64(3), "error": "disk"},
	}
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i := range want {
		for name, value := range want[i] {
			if got[i][name] != value {
				t.Errorf("line %d: %s is %v, want %v", i, name, got[i][name], value)
			}
		}
	}
}

// TestProgress shows that a long replay goes on without its request, and how far it is.
func TestProgress(t *testing.T) {
	s := newSite(t, busy())
	begun, goOn := make(chan struct{}), make(chan struct{})
	s.fake.change = func(ctx context.Context, sel queue.Selection) (int64, error) {
		sel.Progress(400)
		close(begun)
		<-goOn
		sel.Progress(900)
		return 1000, nil
	}
	form := url.Values{"token": {s.handler.process.forgery.token("ana")}, "group": {"1"}, "destination": {"crm"}, "confirmed": {"1"}, "expected": {"1000"}, "back": {"dead"}}
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-begun
		leave()
	}()
	w := s.do("ana", formRequest("/replay", form).WithContext(ctx))
	to := w.Header().Get("Location")
	if w.Code != 303 || !strings.HasPrefix(to, "./jobs/") {
		t.Fatalf("%d %s", w.Code, to)
	}
	path := strings.TrimPrefix(to, ".")
	s.want(path, 200, "Replaying: 400 of 1,000 deliveries so far.", `http-equiv="refresh"`, `<progress max="1000" value="400">`)
	s.want("/dead", 200, "Replaying: 400 of 1,000")
	s.want("/", 200, path[1:])
	close(goOn)
	s.handler.process.jobs.wg.Wait()
	if body := s.want(path, 200, "1,000 deliveries replayed."); strings.Contains(body, "refresh") {
		t.Error("the page of a job that has ended looks again")
	}
	s.want("/dead?job="+strings.TrimPrefix(path, "/jobs/"), 200, "1,000 deliveries replayed.")
}

// TestJobsEnd shows that jobs end with the process, and that only a few run at a time.
func TestJobsEnd(t *testing.T) {
	s := newSite(t, busy())
	s.fake.change = func(ctx context.Context, sel queue.Selection) (int64, error) {
		<-ctx.Done()
		return 7, ctx.Err()
	}
	for range maxRunning {
		r := formRequest("/discard", url.Values{"token": {s.handler.process.forgery.token("ana")}, "group": {"1"}, "destination": {"crm"}, "confirmed": {"1"}})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		s.do("ana", r.WithContext(ctx))
		cancel()
	}
	if w := s.post("/discard", "group", "1", "destination", "crm", "confirmed", "1"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", w.Code)
	}
	all := s.handler.process.jobs.running()
	if len(all) != maxRunning {
		t.Fatalf("%d run", len(all))
	}
	_ = s.handler.process.Destruct()
	for _, j := range all {
		if j.IsRunning() || j.Progress() != "Cut short: 7 deliveries discarded before the gateway stopped." {
			t.Error(j.Progress())
		}
	}
}

func TestBackOf(t *testing.T) {
	for back, want := range map[string]string{
		"":                               "./",
		"dead":                           "dead",
		"dead?destination=crm":           "dead?destination=crm",
		"events/" + firstKey.String():    "events/" + firstKey.String(),
		"//elsewhere.example.com/events": "./",
		"https://elsewhere.example.com":  "./",
		"/events":                        "./",
		"../events":                      "./",
		"x/events":                       "./",
		"feed":                           "./",
		"\\\\elsewhere.example.com/dead": "./",
		"javascript:alert(1)":            "./",
	} {
		if got := backOf(back); got != want {
			t.Errorf("%q: %q, want %q", back, got, want)
		}
	}
}
