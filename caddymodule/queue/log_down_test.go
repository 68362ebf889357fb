package queue

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// TestLogDown cuts off one of two logs: the status has what the other one has, what needs
// all logs fails before it changes anything, and what the other log has is found.
func TestLogDown(t *testing.T) {
	t.Parallel()
	here, there := sharedServer.database(t), sharedServer.database(t)
	line, behind := pgProxy(t, there)
	s := quietly(postgresSettings(t, here))
	s.Servers = []string{behind}
	g := startDeclared(t, s, 2, newDestination("a", (&receiver{answer: answers(410)}).deliver))
	q, all := g.q, newEvents(8)
	g.keepInTurn(t, all...)
	g.wait(t, "a", func(s DestinationStatus) bool { return s.DeadLetters == 8 })

	near, away := all[0].Key, all[1].Key
	for name, cut := range map[string]func(t *testing.T){
		"refused": func(t *testing.T) { cutOff(t, line) },
		"silent":  func(t *testing.T) { line.Stick(true); t.Cleanup(func() { line.Stick(false) }) },
	} {
		t.Run(name, func(t *testing.T) {
			cut(t)
			begun := time.Now()
			if s := g.status(t, "a"); s.DeadLetters != 4 || s.LogsMissing != 1 {
				t.Errorf("%+v", s)
			}
			eventually(t, "that the log is known to be down", func() bool { return slices.Equal(q.DownLogs(), []int{1}) })
			if logs := q.Logs(t.Context()); !logs[0].Up || logs[1].Up || logs[1].Destinations != nil {
				t.Errorf("%+v", logs)
			}
			if err := q.Ready(t.Context()); err != nil {
				t.Error(err)
			}
			if h, err := q.History(t.Context(), near); err != nil || h.EventID != "0" {
				t.Error(h, err)
			}
			if n, err := q.Replay(t.Context(), Selection{Keys: []envelope.Key{near}, DryRun: true}); n != 1 || err != nil {
				t.Error(n, err)
			}
			var asking sync.WaitGroup
			for what, ask := range map[string]func() error{
				"causes":  func() error { _, err := q.Causes(t.Context(), "a"); return err },
				"letters": func() error { _, err := q.DeadLetters(t.Context(), "a", 10); return err },
				"search":  func() error { _, err := q.Search(t.Context(), 1, Search{}, 0, 1); return err },
				"history": func() error { _, err := q.History(t.Context(), away); return err },
				"replay":  func() error { _, err := q.Replay(t.Context(), Selection{Dead: true}); return err },
				"both":    func() error { _, err := q.Replay(t.Context(), Selection{Keys: []envelope.Key{near, away}}); return err },
				"discard": func() error { _, err := q.Discard(t.Context(), Selection{Dead: true}); return err },
				"forget":  func() error { _, err := q.Forget(t.Context(), "a"); return err },
				"pause":   func() error { return q.Pause(t.Context(), "a") },
				"resume":  func() error { return q.Resume(t.Context(), "a") },
			} {
				asking.Go(func() {
					var of *LogError
					if err := ask(); !errors.Is(err, ErrUnavailable) || !errors.As(err, &of) || of.Names() != "log 1" || !strings.HasPrefix(err.Error(), "log 1: ") {
						t.Errorf("%s: %v", what, err)
					}
				})
			}
			asking.Wait()
			if took := time.Since(begun); took > 25*time.Second {
				t.Errorf("it took %s", took)
			}
			if s := g.status(t, "a"); s.DeadLetters != 4 {
				t.Errorf("%+v", s)
			}
		})
	}
	g.wait(t, "a", func(s DestinationStatus) bool { return s.DeadLetters == 8 && s.LogsMissing == 0 })
}

// cutOff ends all connections through a proxy, and refuses new ones until the test ends.
func cutOff(t *testing.T, line *pgtest.Proxy) {
	t.Helper()
	line.Switch("127.0.0.1:1") // where nothing listens
	line.Cut()
	t.Cleanup(func() { line.Switch(sharedServer.server.Address()) })
}
