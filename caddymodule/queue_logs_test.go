package caddymodule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// threeLogs returns the option for a queue of three logs in a new database.
func threeLogs(t *testing.T) string {
	t.Helper()
	t.Setenv("DSN", pgtest.Start(t).Database(t))
	t.Cleanup(func() { loadNothing(t) }) // before the server goes
	return "webhooks {\n\t\tqueue postgres {env.DSN} {\n\t\t\tlogs 3\n\t\t}\n\t}"
}

// TestQueueOfSeveralLogs shows that an operator sees one queue, and what is in each of its
// logs.
func TestQueueOfSeveralLogs(t *testing.T) {
	const n = 30
	secret := secretIn(t, "SECRET")
	app, _ := startWithoutCRM(t)
	startObserved(t, app, threeLogs(t))
	for i := range n {
		sendNotifly(t, secret, fmt.Sprint(i))
	}
	status := func(name string) (of journal.Destination) {
		for _, d := range readAdmin[[]journal.Destination](t, "/webhooks/destinations") {
			if d.Destination == name {
				of = d
			}
		}
		return of
	}
	waitFor(t, func() bool { return status("crm").DeadLetters == n && status("archive").Backlog == 0 })
	q := readAdmin[struct {
		Ready bool
		Bytes int64
		Logs  []queue.LogStatus
	}](t, "/webhooks/queue")
	if len(q.Logs) != 3 || !q.Ready {
		t.Fatalf("%+v", q)
	}
	var bytes, dead int64
	for i, l := range q.Logs {
		if l.Log != i || !l.Up || l.Bytes == 0 || len(l.Destinations) != 2 {
			t.Errorf("%+v", l)
		}
		bytes += l.Bytes
		dead += l.Destinations[1].DeadLetters
	}
	if bytes != q.Bytes || dead != n {
		t.Errorf("%d of %d bytes, %d dead letters", bytes, q.Bytes, dead)
	}
	for _, e := range readEvents(t, "?destination=crm&state=dead").Events {
		if h := readAdmin[journal.History](t, "/webhooks/events/"+e.ID); h.EventID != e.EventID {
			t.Errorf("%s is %s, want %s", e.ID, h.EventID, e.EventID)
		}
	}
	wantAdmin(t, "POST", "/webhooks/replay", `{"dead":true,"dry_run":true}`, 200, fmt.Sprintf(`{"replayed":0,"would_replay":%d}`, n))
	wantAdmin(t, "DELETE", "/webhooks/dead", `{"dead":true}`, 200, fmt.Sprintf(`{"discarded":%d}`, n))
	out, errs, ok := run(t, "", "destinations", "--address", adminAddress)
	if !ok || strings.Count(out, "answers") != 3 || !strings.Contains(out, "LOG") {
		t.Errorf("%s%s", out, errs)
	}
	if up := metric(t, `caddy_webhooks_queue_log_up{log="2"}`); up != "1" {
		t.Errorf("log 2 is up: %q", up)
	}
	if n := gauge(t, "backlog", "archive"); n != 0 {
		t.Errorf("%d events wait", n)
	}
}
