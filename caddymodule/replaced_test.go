package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestQueueFileReplaced removes and replaces the files of the queue of a running
// gateway: it answers 503 until they are back, and what it answered 200 arrives.
func TestQueueFileReplaced(t *testing.T) {
	t.Parallel()
	secret := newSecret()
	to := startReceiver(t)
	file := filepath.Join(t.TempDir(), "webhooks", "queue.db")
	c := newChild(t, "a", "sqlite "+file, durableSite(deliverTo("app", to, "")), "SECRET="+secret)
	c.startReady()
	var answered []string
	want := func(id string, status int) {
		t.Helper()
		if got, _, err := sendOnce(once, c.url, secret, id, "key"); err != nil || got != status {
			t.Fatalf("%s: got %d, %v, want %d", id, got, err, status)
		}
		if got := c.ready(); got != status {
			t.Errorf("after %s: ready is answered %d, want %d", id, got, status)
		}
		if status == http.StatusOK {
			answered = append(answered, id)
		}
	}
	logged := func(text string) int {
		t.Helper()
		log, err := os.ReadFile(c.logFile)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(log), text)
	}
	want("first", http.StatusOK)
	const began, over = "was removed or replaced while open", "queue file is back"
	for i, name := range []string{file, file + "-wal"} {
		for j, copied := range []bool{false, true} {
			id := fmt.Sprintf("e-%d-%d", i, j)
			away := filepath.Join(t.TempDir(), "away")
			if err := os.Rename(name, away); err != nil {
				t.Fatal(err)
			}
			if copied {
				content, err := os.ReadFile(away)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for n := range 3 {
				want(fmt.Sprint(id, "-refused-", n), http.StatusServiceUnavailable)
			}
			if err := os.Rename(away, name); err != nil {
				t.Fatal(err)
			}
			want(id, http.StatusOK)
			if begins, ends, wanted := logged(began), logged(over), 2*i+j+1; begins != wanted || ends != wanted {
				t.Errorf("%d lines say that the file is replaced, and %d that it is back, want %d of each", begins, ends, wanted)
			}
		}
	}
	if n := logged("retrying"); n > 0 {
		t.Errorf("the log has %d lines beside these", n)
	}
	to.waitTaken(t, answered)

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	want("removed", http.StatusServiceUnavailable)
}
