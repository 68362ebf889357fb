package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

func TestReadMessages(t *testing.T) {
	const feed = ": comment\nretry: 1000\n\nid: 1\nevent: event\ndata: {\"a\":1}\n\n: ping\n\nid:2\ndata:{\ndata:}\n\nid: 3\r\nevent: lost\r\ndata: x\r\n\r\nevent: cut off\ndata: {"
	var got []string
	if err := readMessages(strings.NewReader(feed), func(m message) error {
		got = append(got, fmt.Sprintf("%s %s %s", m.id, m.name, m.data))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{`1 event {"a":1}`, "2  {}", "3 lost x"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q; want %q", got, want)
	}
	if err := readMessages(strings.NewReader("data: "+strings.Repeat("x", maxMessageLine)), nil); err == nil {
		t.Error("a line without an end is read")
	}
}

// tookTimes matches durations in lines of the feed.
var tookTimes = regexp.MustCompile(`in [\d.]+ m?s`)

// sse writes a message of a feed.
func sse(w io.Writer, id, name string, data any) {
	encoded, _ := json.Marshal(data)
	fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", id, name, encoded)
}

// eventLine returns a line of the feed.
func eventLine(id, outcome string) journal.Line {
	return journal.Line{Event: &journal.EventLine{ID: id, Provider: "notifly", Type: "message.created", Received: now, Outcome: outcome}}
}

// brokenFeed is a feed whose connection breaks. The last request ends the command.
type brokenFeed struct {
	t      *testing.T
	cancel context.CancelFunc
	after  []string // the Last-Event-ID of each request
}

func (f *brokenFeed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.after = append(f.after, r.Header.Get("Last-Event-ID"))
	w.Header().Set("Content-Type", "text/event-stream")
	switch len(f.after) {
	case 1:
		sse(w, "7", "event", eventLine(knownID, "accepted"))
	case 2:
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"error":"no configuration is running"}`)
	case 3:
		sse(w, "9", "lost", map[string]int{"lost": 1200})
		sse(w, "9", "refusal", journal.Line{Refusal: &journal.Refusal{Time: now, Source: "/webhooks/notifly", Reason: "bad_credential", Status: 401, Cause: "\x1b", ClientIP: "203.0.113.9"}})
	case 4:
		f.cancel()
	}
}

func TestTailGoesOn(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "12:00:00  event    " + knownID + "  accepted  message.created  notifly\n" +
			"12:00:00  refusal  401 /webhooks/notifly                 bad_credential  \\u001b  203.0.113.9\n"},
		{"--json", `{"event":{"id":"` + knownID + `"`},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		api := &brokenFeed{t: t, cancel: cancel}
		got := runOn(t, ctx, api, screen{}, "", tailCommand(), runTail, strings.Fields(c.args)...)
		out := strings.ReplaceAll(got.out, now.Local().Format(time.TimeOnly), "12:00:00")
		_, notes, _ := strings.Cut(got.notes, ". Ctrl-C ends it.\n")
		const want = "The connection is broken; connecting again.\nConnected again.\n1,200 lines were lost: this reader is too slow.\nThe connection is broken; connecting again.\n"
		if got.err != nil || !strings.HasPrefix(out, c.want) || strings.Count(out, "\n") != 2 || notes != want {
			t.Errorf("%s: %v\n%s%s", c.args, got.err, out, got.notes)
		}
		if fmt.Sprint(api.after) != "[ 7 7 9]" {
			t.Errorf("%q", api.after)
		}
	}
}

func TestTailErrors(t *testing.T) {
	n := 0
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n++; n%2 == 1 && r.URL.Query().Get("provider") == "gone" {
			w.Header().Set("Content-Type", "text/event-stream")
			return
		}
		if r.URL.Query().Get("provider") == "page" {
			return
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"no destination \"crm\""}`)
	})
	for args, want := range map[string]string{
		"--destination crm":               `no destination "crm"`,
		"--provider gone":                 `no destination "crm"`, // the second time
		"--provider page":                 "is not Caddy's admin endpoint",
		"--sign x":                        "--sign and --timeout need --to",
		"--timeout 1s":                    "--sign and --timeout need --to",
		"--to localhost":                  "--to must begin with",
		"--to http://x --timeout 0":       "--timeout must be above 0",
		"--to http://x --sign key":        "--sign: a signing key is whsec_",
		"--to http://x --state dead":      "--destination and --state select attempts, and --to hands on events",
		"--to http://x --destination crm": "--destination and --state select attempts, and --to hands on events",
		"--since never":                   "--since: ",
	} {
		n = 0
		got := runOn(t, t.Context(), api, screen{}, "", tailCommand(), runTail, strings.Fields(args)...)
		if got.err == nil || !strings.Contains(got.err.Error(), want) {
			t.Errorf("%s: %v; want %s", args, got.err, want)
		}
	}
}

func TestTailLine(t *testing.T) {
	attempt := journal.AttemptLine{
		ID: knownID, Provider: "notifly", Type: "message.created", Subject: "conversations/1", Destination: "crm", Time: now, Next: now.Add(2 * time.Minute),
		PastAttempt: queue.PastAttempt{Attempt: 3, TookMS: 31, Status: 503, Outcome: queue.OutcomeRetrying, Error: "answered 503"},
	}
	hostileLine := eventLine(knownID, "accepted")
	hostileLine.Event.Type, hostileLine.Event.Subject = hostile, hostile
	refusal := journal.Refusal{Time: now, Source: hostile, Reason: "bad_credential", Status: 401, Cause: hostile}
	for _, c := range []struct {
		line  journal.Line
		width int
		want  string
	}{
		{journal.Line{Attempt: &attempt}, 0, "12:00:00  attempt  " + knownID + "  crm failed (503) in 31 ms, attempt 3, next in 2m  message.created  notifly  conversations/1  answered 503"},
		{journal.Line{Attempt: &attempt}, 80, "12:00:00  attempt  " + knownID + "  crm failed (503) in 31…"},
		{eventLine(knownID, "unrouted"), 80, "12:00:00  event    " + knownID + "  unrouted  message.crea…"},
		{hostileLine, 100, "12:00:00  event    " + knownID + `  accepted  a\u001b[2J\u202eb\u2066\u000d\u0…`},
		{journal.Line{Refusal: &refusal}, 60, ""},
		{journal.Line{}, 80, ""},
	} {
		got := tailLine(c.line, screen{width: c.width}, now)
		if c.want != "" && got != c.want || printable(got) != got || c.width >= 80 && columnsOf(got) > c.width {
			t.Errorf("%d: %.300q\nwant %q", c.width, got, c.want)
		}
	}
}
