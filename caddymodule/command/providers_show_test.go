package command

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                             "",
		10 * time.Second:              "10s by default",
		time.Minute:                   "1m by default",
		90 * time.Minute:              "1h30m by default",
		25 * time.Hour:                "25h by default",
		time.Minute + 30*time.Second:  "1m30s by default",
		time.Hour + 10*time.Second:    "1h0m10s by default",
		10*time.Hour + 10*time.Minute: "10h10m by default",
	} {
		if got := durationText(caddy.Duration(d)); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}
