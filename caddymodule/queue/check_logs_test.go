package queue

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// TestCheckSeveralLogs breaks what holds in one of two logs.
func TestCheckSeveralLogs(t *testing.T) {
	t.Parallel()
	s := postgresSettings(t, sharedServer.database(t))
	s.Logs = 2
	g := startDeclared(t, s, s.Logs, newDestination("a", new(receiver).deliver))
	g.keepInTurn(t, newEvents(7)...)
	g.wait(t, "a", func(s DestinationStatus) bool { return s.Backlog == 0 })
	eventually(t, "that all windows of before are known", func() bool {
		found, err := g.q.survey(t.Context())
		return err == nil && found.isSettled(found.current())
	})
	want := func(problems ...string) {
		t.Helper()
		r := check(t, s)
		if r.Events != 7 || !slices.EqualFunc(r.Problems, problems, strings.HasPrefix) {
			t.Errorf("%d events, %q, want %q", r.Events, r.Problems, problems)
		}
	}
	second := g.q.logs()[1]
	exec := func(statement string) {
		t.Helper()
		if err := second.do(func(t *tx) error { return t.exec(statement) }); err != nil {
			t.Fatal(err)
		}
	}
	want()
	exec(`UPDATE webhooks_queue SET bytes = bytes + 1`)
	want("log 1: webhooks_queue.bytes is ")
	exec(`UPDATE webhooks_queue SET bytes = bytes - 1`)
	exec(`ALTER TABLE webhooks_queue DROP CONSTRAINT webhooks_queue_counted`)
	exec(`UPDATE webhooks_queue SET counted = last - 1`)
	want("log 1: webhooks_queue.counted is 2, but the last event has number 3")
	exec(`UPDATE webhooks_queue SET counted = last`)
	exec(`UPDATE webhooks_identity SET queue = 'other'`)
	if r, err := Check(context.Background(), s); err == nil || !strings.Contains(err.Error(), "log 1 of another queue") {
		t.Errorf("%+v %v", r, err)
	}
}
