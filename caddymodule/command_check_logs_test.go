package caddymodule_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// TestCheckCommandLogs checks all logs of a queue, at two servers, and prints nothing of
// their DSNs.
func TestCheckCommandLogs(t *testing.T) {
	secret := secretIn(t, "SECRET")
	server := pgtest.Start(t)
	first, second := server.Database(t), server.Database(t)
	t.Setenv("DSN", first)
	t.Setenv("DSN_2", second)
	c := newChild(t, "a", "postgres {env.DSN} {env.DSN_2} {\nlogs 4\ndedup strict\n}", durableSite(deliverTo("app", startReceiver(t), "")))
	config := filepath.Join(c.dir, "Caddyfile")
	c.startReady()
	const events = 20
	for i := range events {
		if status, _, err := sendOnce(once, c.url, secret, fmt.Sprint(i), fmt.Sprint("key", i)); err != nil || status != http.StatusOK {
			t.Fatal(status, err)
		}
	}
	out, errs, ok := run(t, "", "check", "--config", config)
	if want := fmt.Sprintf("queue: postgres (2 servers, 4 logs, dedup strict)\n%d events, ", events); !ok || !strings.HasPrefix(out, want) || !strings.HasSuffix(out, "B\nno problems found\n") {
		t.Errorf("%v %s%s", ok, out, errs)
	}
	if strings.Contains(out+errs, first) || strings.Contains(out+errs, second) {
		t.Errorf("a DSN is printed:\n%s%s", out, errs)
	}
}
