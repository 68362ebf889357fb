package command

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

func TestEventBytes(t *testing.T) {
	// Exact bytes: spaces, line breaks, numbers as they were written, and no more.
	documents := map[string]string{
		"/envelope": "{ \"n\" :\t1.0e1,\r\n\"s\":\"<\\u00e9\u009b>\" }",
		"/original": "a=b&c\x00\xff\n",
	}
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		document, ok := documents[strings.TrimPrefix(r.URL.Path, "/webhooks/events/"+knownID)]
		if !ok {
			http.NotFound(w, r)
		}
		_, _ = io.WriteString(w, document)
	})
	for _, form := range []string{"envelope", "original"} {
		got := runOn(t, t.Context(), api, screen{}, "", eventCommand(), runEvent, knownID, "--"+form)
		if got.err != nil || got.out != documents["/"+form] {
			t.Errorf("%s: %q, %v", form, got.out, got.err)
		}
	}
	for args, want := range map[string]string{
		"msg_x":                            `"msg_x" does not name an event`,
		knownID + " --envelope --original": "only one of --envelope, --original, --curl and --json",
		knownID + " --curl --json":         "only one of",
		knownID + " --to http://x":         "--to needs --curl",
		knownID + " --curl --to localhost": "--to must begin with http:// or https://",
	} {
		if got := runOn(t, t.Context(), api, screen{}, "", eventCommand(), runEvent, strings.Fields(args)...); got.err == nil || !strings.Contains(got.err.Error(), want) {
			t.Errorf("%s: %v; want %s", args, got.err, want)
		}
	}
}

// Nothing of what a sender chose reaches the terminal as it is, and tables fit.
func TestEventHostile(t *testing.T) {
	history := journal.History{
		Event:   journal.Event{Summary: queue.Summary{ID: knownID, EventID: hostile, Type: hostile, Subject: hostile, Received: now, Destinations: []queue.DeliveryStatus{{Destination: "crm", State: queue.StateDead, Attempts: []queue.PastAttempt{{Attempt: 1, Began: now, Error: hostile, Excerpt: hostile, Outcome: queue.OutcomeDead}}}}}},
		Request: &journal.Request{Method: "POST", URI: hostile, Host: hostile, RemoteAddr: hostile, Header: http.Header{hostile: {hostile}}},
	}
	for _, body := range []string{`{"a":"\u001b` + "\u202e" + `"}`, `"\u001b]0;x\u0007"`, ""} {
		history.Envelope = json.RawMessage(body)
		var out strings.Builder
		if err := printEvent(adminClient{w: &out, screen: screen{width: 80}}, history, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if text := out.String(); printableLines(text) != text {
			t.Errorf("%s: not printable", body)
		}
		_, attempts, _ := strings.Cut(out.String(), "OUTCOME\n")
		if want := "  1        2026-01-04T12:00:00Z  0.0 ms  none    dead\n" + `      a\u001b[2J\u202eb\u2066\u000d\u000axxx`; !strings.HasPrefix(attempts, want) {
			t.Errorf("%s: %.100q; want %q", body, attempts, want)
		}
	}
}

func TestEventAnswers(t *testing.T) {
	failed := func(number int, answer string) queue.PastAttempt {
		return queue.PastAttempt{Attempt: number, Status: 500, Outcome: queue.OutcomeRetrying, Error: "answered 500", Excerpt: answer}
	}
	delivered := queue.PastAttempt{Attempt: 3, Status: 204, Outcome: queue.OutcomeDelivered}
	for _, c := range []struct {
		attempts []queue.PastAttempt
		want     string
	}{
		{[]queue.PastAttempt{failed(1, "busy\n"), failed(2, "busy")}, "  last answer: busy\n"},
		{[]queue.PastAttempt{failed(1, "busy\n"), failed(2, "disk full\n"), delivered}, "  answer to attempt 1: busy\n  answer to attempt 2: disk full\n"},
		{[]queue.PastAttempt{failed(1, ""), delivered}, ""},
	} {
		var out strings.Builder
		if err := printAnswers(adminClient{w: &out}, c.attempts); err != nil || out.String() != c.want {
			t.Errorf("%q, %v; want %q", &out, err, c.want)
		}
	}
}

func TestWhen(t *testing.T) {
	for left, want := range map[time.Duration]string{2 * time.Minute: "in 2m", time.Second: "in 1s", 80 * time.Millisecond: "in <1s", 0: "due", -time.Hour: "due"} {
		if got := when(now.Add(left), now); got != want {
			t.Errorf("%s: %q; want %q", left, got, want)
		}
	}
}
