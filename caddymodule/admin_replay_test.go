package caddymodule_test

import (
	"testing"
)

// TestAdminReplay replays and discards what filters and causes select, after a dry run
// of each.
func TestAdminReplay(t *testing.T) {
	onEngines(t, func(t *testing.T, queue string) {
		secret := secretIn(t, "SECRET")
		app, up := startWithoutCRM(t)
		startObserved(t, app, queue)
		sendNotifly(t, secret, "1", "2", "3", "4")
		waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 4 })
		waitDelivered(t, "archive")
		before := len(app.requests())

		for _, c := range []struct{ method, path, body, want string }{
			{"POST", "replay", `{"dead":true,"dry_run":true}`, `{"replayed":0,"would_replay":4}`},
			{"POST", "replay", `{"dead":true,"cause":"answered 502","dry_run":true}`, `{"replayed":0,"would_replay":4}`},
			{"POST", "replay", `{"dead":true,"cause":"answered 500","dry_run":true}`, `{"replayed":0,"would_replay":0}`},
			{"POST", "replay", `{"dead":true,"destination":"archive","dry_run":true}`, `{"replayed":0,"would_replay":0}`},
			{"POST", "replay", `{"ids":["` + keyOf("1") + `"],"dry_run":true}`, `{"replayed":0,"would_replay":2}`},
			{"POST", "replay", `{"since":"2000-01-01T00:00:00Z","dry_run":true}`, `{"replayed":0,"would_replay":8}`},
			{"POST", "replay", `{"filter":{"provider":"notifly"},"dry_run":true}`, `{"replayed":0,"would_replay":8}`},
			{"POST", "replay", `{"filter":{"type":"message.*","destination":"crm","since":"1h"},"dry_run":true}`, `{"replayed":0,"would_replay":4}`},
			{"POST", "replay", `{"filter":{"destination":"crm","state":"dead","partitionkey":"c-2"},"dry_run":true}`, `{"replayed":0,"would_replay":1}`},
			{"POST", "replay", `{"filter":{"state":"dead"},"dry_run":true}`, `{"replayed":0,"would_replay":4}`},
			{"POST", "replay", `{"filter":{"text":"m-3"},"dry_run":true}`, `{"replayed":0,"would_replay":2}`},
			{"POST", "replay", `{"filter":{"provider":"wotnot"},"dry_run":true}`, `{"replayed":0,"would_replay":0}`},
			{"DELETE", "dead", `{"dead":true,"dry_run":true}`, `{"discarded":0,"would_discard":4}`},
			{"DELETE", "dead", `{"dead":true,"cause":"answered 500","dry_run":true}`, `{"discarded":0,"would_discard":0}`},
			{"DELETE", "dead", `{"ids":["` + keyOf("1") + `"],"dry_run":true}`, `{"discarded":0,"would_discard":1}`},
		} {
			wantAdmin(t, c.method, "/webhooks/"+c.path, c.body, 200, c.want)
		}
		for _, c := range []struct {
			method, path, body string
			status             int
			want               string
		}{
			{"POST", "replay", `{"filter":{}}`, 400, `{"error":"the body is not a selection, such as {\"dead\":true,\"destination\":\"crm\"}: filter: it is empty; select events by at least one of provider, …`},
			{"POST", "replay", `{"filter":{"provider":"notifly"},"dead":true}`, 400, `{"error":"select events by exactly one of ids, dead, since, filter"}`},
			{"POST", "replay", `{"filter":{"state":"lost"}}`, 400, `{"error":"filter: state takes …`},
			{"POST", "replay", `{"filter":{"provider":"notifly"},"limit":1}`, 400, `{"error":"the body is not a selection, such as {\"dead\":true,\"destination\":\"crm\"}: unknown member \"limit\"…`},
			{"POST", "replay", `{"filter":{"destination":"cmr","since":"1h"},"dry_run":true}`, 404, `{"error":"no destination \"cmr\"; there are archive and crm"}`},
			{"POST", "replay", `{"filter":{"provider":"notifly"},"destination":"crm"}`, 400, `{"error":"member \"destination\" is not for a filter; put it into the filter"}`},
			{"POST", "replay", `{"filter":{"provider":"notifly"},"cause":"answered 502"}`, 400, `{"error":"member \"cause\" is for dead letters; use it with \"dead\""}`},
			{"DELETE", "dead", `{"filter":{"state":"dead"}}`, 400, `{"error":"select events by exactly one of ids, dead"}`},
			{"DELETE", "dead", `{"ids":["` + keyOf("1") + `"],"cause":"answered 502"}`, 400, `{"error":"member \"cause\" is for dead letters…`},
		} {
			wantAdmin(t, c.method, "/webhooks/"+c.path, c.body, c.status, c.want)
		}
		if n := len(app.requests()); n != before || gauge(t, "dead_letters", "crm") != 4 {
			t.Fatalf("%d deliveries were made again, and %d of 4 dead letters are left", n-before, gauge(t, "dead_letters", "crm"))
		}

		up.Store(true)
		wantAdmin(t, "DELETE", "/webhooks/dead", `{"ids":["`+keyOf("4")+`"],"dry_run":false}`, 200, `{"discarded":1}`)
		wantAdmin(t, "POST", "/webhooks/replay", `{"filter":{"destination":"crm","state":"dead","partitionkey":"c-2"}}`, 200, `{"replayed":1}`)
		waitFor(t, func() bool { return len(app.requests()) == before+1 })
		if r := app.requests()[before]; r.URI != "/crm" || r.Header.Get("Webhook-Id") != keyOf("2") || r.Header.Get("Webhook-Replay") != "true" {
			t.Errorf("%s %v", r.URI, r.Header)
		}
		wantAdmin(t, "POST", "/webhooks/replay", `{"dead":true,"cause":"answered 500"}`, 200, `{"replayed":0}`)
		wantAdmin(t, "POST", "/webhooks/replay", `{"dead":true,"cause":"answered 502","destination":"crm"}`, 200, `{"replayed":2}`)
		waitFor(t, func() bool { return len(app.requests()) == before+3 })
		waitDelivered(t, "crm")
		wantAdmin(t, "POST", "/webhooks/replay", `{"filter":{"destination":"archive","since":"1h","type":"message.created"}}`, 200, `{"replayed":4}`)
		waitFor(t, func() bool { return len(app.requests()) == before+7 })
		waitDelivered(t, "archive")
		wantAdmin(t, "DELETE", "/webhooks/dead", `{"dead":true,"cause":"answered 502"}`, 200, `{"discarded":0}`)
	})
}
