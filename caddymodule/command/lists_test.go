package command

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// wantFit checks that a text is printable, and as wide as a screen.
func wantFit(t *testing.T, text string, width int) {
	t.Helper()
	if printableLines(text) != text {
		t.Errorf("not printable: %.300q", text)
	}
	for line := range strings.Lines(text) {
		if columnsOf(strings.TrimSuffix(line, "\n")) > width {
			t.Errorf("%d columns of %d: %.200q", columnsOf(line), width, line)
		}
	}
}

func TestPrintDestinationsFits(t *testing.T) {
	all := []journal.Destination{
		{
			DestinationStatus: queue.DestinationStatus{
				Destination: "customer-relationship-management", Configured: true, Backlog: 1_204_000, OldestUndelivered: now.Add(-time.Hour), DeadLetters: 12_000,
				Down: true, Gateway: "gw1.example.com-6f1c2b7a", Here: true, LastFailed: now, FailedSince: now.Add(-18 * time.Minute), LastError: "answered 500\x1b",
			},
			DeliveredPerSecond: 12_345.6, FailedPerSecond: 0.01, TookP50MS: 0.01, TookP99MS: 12_345,
		},
		{DestinationStatus: queue.DestinationStatus{Destination: "crm", Configured: true, LastFailed: now.Add(-time.Hour), LastError: "answered 502"}},
	}
	for _, width := range []int{80, 100, 120} {
		var out strings.Builder
		if err := printDestinations(adminClient{w: &out, screen: screen{width: width}}, all, now); err != nil {
			t.Fatal(err)
		}
		lines, _, _ := strings.Cut(out.String(), "\n\n")
		wantFit(t, lines, width)
		for _, want := range []string{
			"customer", "down", "1,204,000", "12,346", "<0.1",
			"\ncustomer-relationship-management has failed for 18m, the last time 0s ago: answered 500\\u001b\n", "\ncrm last failed 1h ago: answered 502\n",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%d: no %q in\n%s", width, want, &out)
			}
		}
		if got := strings.Contains(out.String(), "P99"); got != (width >= 100) {
			t.Errorf("%d:\n%s", width, &out)
		}
	}
}

func TestPrintLogs(t *testing.T) {
	logs := []queue.LogStatus{
		{Log: 0, Up: true, Bytes: 12 << 20, Destinations: []queue.DestinationStatus{
			{Destination: "archive", Backlog: 1000, Gateway: "gw1-6f1c"}, {Destination: "crm", Backlog: 204, DeadLetters: 3, Gateway: "gw2-9a01"},
			{Destination: "erp", Gateway: "gw1-6f1c"}, {Destination: "old", DeadLetters: 1},
		}},
		{Log: 1, Bytes: 1 << 20},
		{Log: 2, Up: true},
	}
	for _, c := range []struct {
		logs []queue.LogStatus
		want string
	}{
		{nil, ""},
		{logs, `
LOG  STATE      SIZE     BACKLOG  DEAD  GATEWAYS
0    answers    12 MiB   1,204    4     gw1-6f1c (2 destinations), gw2-9a01 (1 destination)
1    no answer  1.0 MiB  -        -     -
2    answers    0 B      0        0     -
`},
	} {
		var out strings.Builder
		if err := printLogs(adminClient{w: &out, screen: screen{width: 100}}, c.logs); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.want {
			t.Errorf("got\n%s\nwant\n%s", &out, c.want)
		}
	}
}

func TestPrintBlocksFits(t *testing.T) {
	all := []journal.Block{
		{Provider: "notifly", Source: "/webhooks/notifly", Destinations: []string{"archive", "crm"}, LastAccepted: now, AcceptedPerMinute: 120, LastRefused: now, LastRefusedReason: "bad_credential", LastSecret: 2},
		{Provider: hostile, Source: hostile, Destinations: []string{hostile}, LastAccepted: now, LastRefusedReason: hostile},
		{Provider: "wotnot", Source: "/webhooks/wotnot", Note: "Events", Unverified: true},
	}
	for _, width := range []int{80, 120} {
		var out strings.Builder
		if err := printBlocks(adminClient{w: &out, screen: screen{width: width}}, all, now); err != nil {
			t.Fatal(err)
		}
		table, _, _ := strings.Cut(out.String(), "\n\n") // the note follows, whole
		wantFit(t, table, width)
		if strings.Contains(table, "unverified") != (width == 120) {
			t.Errorf("%d:\n%s", width, table)
		}
		if want := "\n\n/webhooks/wotnot has accepted no event since the gateway started. Enter at the provider: Events\n"; !strings.HasSuffix(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

// The cause is whole: below its line on a terminal, and in it in a file.
func TestRefusalsShowCause(t *testing.T) {
	cause := strings.Repeat("credential does not match ", 20) + "\x1b"
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(journal.Refusals{Refusals: []journal.Refusal{
			{Time: time.Now(), Source: "/webhooks/notifly", Reason: "bad_credential", Status: 401, Cause: cause, ClientIP: "203.0.113.9", Method: "POST", Path: hostile, Size: 1300},
			{Time: time.Now(), Source: hostile, Reason: "malformed", Status: 400},
		}})
	})
	for _, width := range []int{0, 80, 120} {
		got := runOn(t, t.Context(), api, screen{width: width}, "", refusalsCommand(), runRefusals)
		lines := strings.Split(strings.TrimSpace(got.out), "\n")
		begin, end := 1, 3
		if width > 0 {
			begin, end = 2, 4
		}
		if got.err != nil || len(lines) != end || !strings.HasSuffix(lines[begin], printable(cause)) || strings.Contains(lines[0], "CAUSE") != (width == 0) {
			t.Fatalf("%d: %v\n%.2000s", width, got.err, got.out)
		}
		if width > 0 {
			wantFit(t, lines[1]+"\n"+lines[3], width)
		}
	}
}
