package command

import (
	"strings"
	"testing"
)

// TestExplainStale shows that a recorded request whose timestamp is old now is
// explained with advice for it, and not with a guess about its signature.
func TestExplainStale(t *testing.T) {
	out, _, err := execute(t, "", "explain", "acme", "--request", "testdata/explain/stamped.http", "--config", "testdata/explain/Caddyfile")
	if want := "The signature is right. For a recorded request, set --at to the time at which it arrived.\n"; out != want {
		t.Errorf("%q, want %q", out, want)
	}
	if err == nil || !strings.HasPrefix(err.Error(), "refused with 401: stale_timestamp: timestamp out of tolerance: the timestamp is ") {
		t.Errorf("%v", err)
	}
}
