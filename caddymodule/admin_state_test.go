package caddymodule_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

// TestAdminState shows blocks, destinations, refusals and causes.
func TestAdminState(t *testing.T) {
	onEngines(t, func(t *testing.T, queue string) {
		secret := secretIn(t, "SECRET")
		app, _ := startWithoutCRM(t)
		startObserved(t, app, queue)
		wantAdmin(t, "GET", "/webhooks/refusals", "", 200, `{"refusals":[]}`)
		wantAdmin(t, "GET", "/webhooks/causes", "", 200, `{"causes":[]}`)
		sendNotifly(t, secret, "1", "2")
		refuseNotifly(t, "3")
		wantStatus(t, 401, "/direct", batch("7:hello"))
		waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 2 })
		waitDelivered(t, "archive")

		wantBlocks(t)
		wantQueue(t)
		wantRefusals(t)
		wantCauses(t)
		wantDestinations(t)
	})
}

func wantBlocks(t *testing.T) {
	t.Helper()
	blocks := readAdmin[journal.Blocks](t, "/webhooks/blocks").Blocks
	if len(blocks) != 2 {
		t.Fatalf("%+v", blocks)
	}
	b := blocks[0]
	if b.Provider != "notifly" || b.Source != "/webhooks/notifly" || strings.Join(b.Destinations, " ") != "archive crm" && strings.Join(b.Destinations, " ") != "crm archive" ||
		b.LastAccepted.IsZero() || b.LastRefused.Before(b.LastAccepted) || b.LastRefusedReason != "bad_credential" || b.LastSecret != 1 ||
		b.AcceptedPerMinute <= 0 || b.RefusedPerMinute <= 0 || !strings.Contains(b.Note, "API settings, webhooks") {
		t.Errorf("%+v", b)
	}
	b = blocks[1]
	if b.Provider != "wotnot" || b.Destinations == nil || len(b.Destinations) > 0 || !b.LastAccepted.IsZero() || b.LastRefusedReason != "missing_credential" || b.LastSecret != 0 {
		t.Errorf("%+v", b)
	}
	wantAdmin(t, "GET", "/webhooks/blocks?provider=notifly", "", 400, `{"error":"unknown parameter \"provider\"; use none"}`)
}

func wantQueue(t *testing.T) {
	t.Helper()
	q := readAdmin[map[string]any](t, "/webhooks/queue")
	if bytes, ok := q["bytes"].(float64); !ok || bytes < 1000 || q["ready"] != true || q["limit_bytes"] != float64(1<<30) {
		t.Errorf("%+v", q)
	}
	wantAdmin(t, "GET", "/webhooks/queue?x=1", "", 400, `{"error":"unknown parameter \"x\"; use none"}`)
}

func wantRefusals(t *testing.T) {
	t.Helper()
	read := func(query string) []string {
		var got []string
		for {
			page := readAdmin[journal.Refusals](t, "/webhooks/refusals"+query)
			for _, r := range page.Refusals {
				if r.Time.IsZero() || r.Status != 401 || r.ClientIP == "" || r.Method != http.MethodPost || r.Size == 0 || len(r.Headers) < 2 {
					t.Errorf("%+v", r)
				}
				got = append(got, r.Provider+" "+r.Reason+" "+r.Path)
			}
			if page.Next == "" || !strings.Contains(query, "limit") {
				return got
			}
			query = "?limit=1&cursor=" + url.QueryEscape(page.Next)
		}
	}
	const notifly, wotnot = "notifly bad_credential /", "wotnot missing_credential /direct"
	for query, want := range map[string]string{
		"":                           wotnot + ", " + notifly,
		"?limit=1":                   wotnot + ", " + notifly,
		"?provider=notifly":          notifly,
		"?reason=missing_credential": wotnot,
		"?reason=missing_credential&provider=notifly": "",
	} {
		if got := strings.Join(read(query), ", "); got != want {
			t.Errorf("refusals%s: %s, want %s", query, got, want)
		}
	}
	for query, want := range map[string]string{
		"?source=x": `{"error":"unknown parameter \"source\"; use provider, reason, limit, cursor"}`,
		"?reason=":  `{"error":"the parameter reason takes one value; give it one, or leave it out"}`,
		"?cursor=x": `{"error":"not a cursor…`,
		"?limit=-1": `{"error":"limit takes a number from 1 to 1000"}`,
	} {
		wantAdmin(t, "GET", "/webhooks/refusals"+query, "", 400, want)
	}
}

func wantCauses(t *testing.T) {
	t.Helper()
	wantAdmin(t, "GET", "/webhooks/causes", "", 200, `{"causes":[{"destination":"crm","cause":"answered 502","dead_letters":2,"oldest":"…`)
	wantAdmin(t, "GET", "/webhooks/causes?destination=crm", "", 200, `{"causes":[{"destination":"crm","cause":"answered 502","dead_letters":2,"oldest":"…`)
	wantAdmin(t, "GET", "/webhooks/causes?destination=archive", "", 200, `{"causes":[]}`)
	wantAdmin(t, "GET", "/webhooks/causes?destination=cmr", "", 404, `{"error":"no destination \"cmr\"; there are archive and crm"}`)
	wantAdmin(t, "GET", "/webhooks/causes?cause=x", "", 400, `{"error":"unknown parameter \"cause\"; use destination"}`)
}

func wantDestinations(t *testing.T) {
	t.Helper()
	all := readAdmin[[]journal.Destination](t, "/webhooks/destinations")
	if len(all) != 2 || all[0].Destination != "archive" || all[1].Destination != "crm" {
		t.Fatalf("%+v", all)
	}
	if d := all[0]; d.DeliveredPerSecond <= 0 || d.FailedPerSecond != 0 || d.TookP50MS <= 0 || d.TookP99MS < d.TookP50MS ||
		d.LastDelivered.IsZero() || !d.LastFailed.IsZero() || !d.FailedSince.IsZero() {
		t.Errorf("%+v", d)
	}
	if d := all[1]; d.DeliveredPerSecond != 0 || d.FailedPerSecond <= 0 || d.TookP50MS <= 0 || !d.LastDelivered.IsZero() || d.LastFailed.IsZero() ||
		d.FailedSince.IsZero() || d.LastStatus != 502 || d.LastError != "answered 502" || d.DeadLetters != 2 {
		t.Errorf("%+v", d)
	}
}

// TestAdminWithoutQueue shows what there is to see without a queue.
func TestAdminWithoutQueue(t *testing.T) {
	secret := secretIn(t, "SECRET")
	startNotifly(t, startApplication(t))
	sendNotifly(t, secret, "1")
	if got := idsOf(readEvents(t, "").Events); len(got) != 1 || got[0] != keyOf("1") {
		t.Errorf("%v", got)
	}
	if got := readEvents(t, "?state=dead").Events; len(got) > 0 {
		t.Errorf("%v", got)
	}
	if e := readAdmin[journal.History](t, "/webhooks/events/"+keyOf("1")); e.Direct == nil {
		t.Errorf("%+v", e)
	}
	if blocks := readAdmin[journal.Blocks](t, "/webhooks/blocks").Blocks; len(blocks) != 1 || blocks[0].LastAccepted.IsZero() {
		t.Errorf("%+v", blocks)
	}
	const noQueue = `{"error":"there is no queue: no block of the configuration has a ` + "`destination`" + `"}`
	for _, uri := range []string{"destinations", "dead", "causes", "events?destination=crm", "tail?destination=crm"} {
		wantAdmin(t, "GET", "/webhooks/"+uri, "", 404, noQueue)
	}
	wantAdmin(t, "POST", "/webhooks/replay", `{"filter":{"provider":"notifly"}}`, 404, noQueue)
	follow(t, "").leave()

	loadNothing(t)
	wantAdmin(t, "GET", "/webhooks/events", "", 200, `{"events":[]}`)
	wantAdmin(t, "GET", "/webhooks/refusals", "", 200, `{"refusals":[]}`)
	wantAdmin(t, "GET", "/webhooks/blocks", "", 200, `{"blocks":[]}`)
	follow(t, "").leave()
}
