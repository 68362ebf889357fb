package command

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

var (
	firstKey  = envelope.NewKey("/webhooks/notifly", "1")
	secondKey = envelope.NewKey("/webhooks/notifly", "2")
)

// now is when the tables of these tests are printed.
var now = time.Date(2026, 1, 4, 12, 0, 0, 0, time.UTC)

// hostileLetter holds what a terminal must not get.
var hostileLetter = queue.DeadLetter{
	ID: secondKey.String(), Destination: "crm", Provider: "notifly",
	EventID: "a\x1b[2J\tb\u202e" + strings.Repeat("é", 40), Type: "notifly.\u009bx", Attempts: 1,
	LastError: "connection\nrefused", Excerpt: "\x1b]0;title\a",
	Received: now.Add(-50 * time.Hour), Died: now.Add(-50 * time.Hour),
}

func TestPrintDead(t *testing.T) {
	var out strings.Builder
	letters := []queue.DeadLetter{
		{
			ID: firstKey.String(), Destination: "crm", Provider: "notifly", EventID: "a056V7R7NmNRjl70", Type: "message.created",
			Attempts: 24, LastStatus: 500, Received: now.Add(-49 * time.Hour), Died: now.Add(-90 * time.Minute),
		},
		hostileLetter,
	}
	if err := printDead(&out, letters, now); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"ID                                    PROVIDER  EVENT                                     TYPE             DESTINATION  ATTEMPTS  STATUS  AGE\n" +
		"FIRST                                 notifly   a056V7R7NmNRjl70                          message.created  crm          24        500     1h\n" +
		`SECOND                                notifly   a\u001b[2J\u0009b\u202e` + strings.Repeat("é", 16) + `…  notifly.\u009bx  crm          1         none    2d` + "\n"
	wantGolden(t, out.String(), want)

	out.Reset()
	if err := printDead(&out, nil, now); err != nil || out.String() != "No dead letters.\n" {
		t.Errorf("%q, %v", &out, err)
	}
}

func TestPrintDeadLetter(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`{"a":"` + "\u009b" + `","n":1.0}`, "\n{\n  \"a\": \"\\u009b\",\n  \"n\": 1.0\n}\n"},
		{`"a=1\nb=\u001b2"`, "\na=1\nb=\\u001b2\n"},
		{"", ""},
	} {
		var out strings.Builder
		if err := printDeadLetter(&out, admin.DeadLetter{DeadLetter: hostileLetter, Body: json.RawMessage(c.body)}, now); err != nil {
			t.Fatal(err)
		}
		want := "" +
			"id           SECOND\n" +
			"provider     notifly\n" +
			`event        a\u001b[2J\u0009b\u202e` + strings.Repeat("é", 40) + "\n" +
			`type         notifly.\u009bx` + "\n" +
			"destination  crm\n" +
			"received     2026-01-02T10:00:00Z (2d ago)\n" +
			"died         2026-01-02T10:00:00Z (2d ago)\n" +
			"attempts     1\n" +
			"last status  none\n" +
			`last error   connection\u000arefused` + "\n" +
			`last answer  \u001b]0;title\u0007` + "\n" + c.want
		wantGolden(t, out.String(), want)
	}
}

// wantGolden compares texts in which FIRST and SECOND stand for the two keys.
func wantGolden(t *testing.T, got, want string) {
	t.Helper()
	for name, key := range map[string]envelope.Key{"FIRST": firstKey, "SECOND": secondKey} {
		want = strings.ReplaceAll(want, fmt.Sprintf("%-36s", name), key.String())
		want = strings.ReplaceAll(want, name, key.String())
	}
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"":                     "",
		"Grüße, 你好 🎉":          "Grüße, 你好 🎉",
		"a\x00\x1b\x7f\u0085b": `a\u0000\u001b\u007f\u0085b`,
		"\r\n\t":               `\u000d\u000a\u0009`,
		"\u202e\u2066\u200b":   `\u202e\u2066\u200b`,
		"\U000e0041":           `\udb40\udc41`,
		"\xff":                 "\ufffd",
	} {
		if got := printable(s); got != want {
			t.Errorf("%q: %s; want %s", s, got, want)
		}
	}
	// JSON means the same afterwards.
	for _, s := range []string{"\u009b\u202e\U000e0041\u2028 é", "\x00\n\"\\"} {
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := json.Unmarshal([]byte(printable(string(encoded))), &got); err != nil || got != s {
			t.Errorf("%q became %q, %v", s, got, err)
		}
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:           "0s",
		59 * time.Second:       "59s",
		time.Minute:            "1m",
		59*time.Minute + 59e9:  "59m",
		time.Hour:              "1h",
		47*time.Hour + 59*60e9: "47h",
		48 * time.Hour:         "2d",
		400 * 24 * time.Hour:   "400d",
	} {
		if got := age(d); got != want {
			t.Errorf("%v: %s; want %s", d, got, want)
		}
	}
}

// flagsOf parses the arguments of a command.
func flagsOf(t *testing.T, cmd *cobra.Command, args ...string) (caddycmd.Flags, []string) {
	t.Helper()
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return caddycmd.Flags{FlagSet: cmd.Flags()}, cmd.Flags().Args()
}

func TestReplaySelection(t *testing.T) {
	first := firstKey.String()
	for _, c := range []struct {
		args []string
		want admin.Selection
		err  string
	}{
		{[]string{first, "--destination", "crm"}, admin.Selection{IDs: []string{first}, Destination: new("crm")}, ""},
		{[]string{"--dead"}, admin.Selection{Dead: true}, ""},
		{[]string{"--since", "2h"}, admin.Selection{Since: "2026-01-04T10:00:00Z"}, ""},
		{[]string{"--since", "1d"}, admin.Selection{Since: "2026-01-03T12:00:00Z"}, ""},
		{[]string{"--since", "2026-01-02T15:04:05.5+01:00"}, admin.Selection{Since: "2026-01-02T14:04:05.5Z"}, ""},
		{[]string{"--dead", "--destination", ""}, admin.Selection{}, "--destination is empty"},
		{nil, admin.Selection{}, "say which events"},
		{[]string{"--destination", "crm"}, admin.Selection{}, "say which events"},
		{[]string{first, "--dead"}, admin.Selection{}, "say which events"},
		{[]string{"--dead", "--since", "2h"}, admin.Selection{}, "say which events"},
		{[]string{"--since", "-2h"}, admin.Selection{}, "or say how long ago"},
		{[]string{"--since", "0s"}, admin.Selection{}, "or say how long ago"},
		{[]string{"--since", "yesterday"}, admin.Selection{}, "or say how long ago"},
		{[]string{first, "nonsense"}, admin.Selection{}, `"nonsense" does not name an event`},
	} {
		fl, args := flagsOf(t, replayCommand(), c.args...)
		got, err := replaySelection(fl, args, now)
		if len(got.IDs) == 0 {
			got.IDs = nil
		}
		switch {
		case c.err == "" && (err != nil || !reflect.DeepEqual(got, c.want)):
			t.Errorf("%v: %+v, %v; want %+v", c.args, got, err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%v: %v; want %s", c.args, err, c.err)
		}
	}
}

// TestQueueCommands runs the commands against an API that answers as it is told.
func TestQueueCommands(t *testing.T) {
	first := firstKey.String()
	commands := map[string]func() (*cobra.Command, func(adminClient, []string) error){
		"dead":   func() (*cobra.Command, func(adminClient, []string) error) { return deadCommand(), runDead },
		"replay": func() (*cobra.Command, func(adminClient, []string) error) { return replayCommand(), runReplay },
		"pause":  func() (*cobra.Command, func(adminClient, []string) error) { return pauseCommand(), runPause },
		"resume": func() (*cobra.Command, func(adminClient, []string) error) { return resumeCommand(), runResume },
		"forget": func() (*cobra.Command, func(adminClient, []string) error) { return forgetCommand(), runForget },
	}
	for _, c := range []struct {
		args    string
		status  int
		answer  string
		request string // method, URI and body; empty for none
		out     string
		err     string
	}{
		{"dead", 200, `[]`, "GET /webhooks/dead?limit=100 ", "No dead letters.\n", ""},
		{"dead --json", 200, `[{"id":"` + "\u009b" + `"}]`, "GET /webhooks/dead?limit=100 ", "[\n  {\n    \"id\": \"\\u009b\"\n  }\n]\n", ""},
		{"dead --destination a&b --limit 5", 200, `[]`, "GET /webhooks/dead?destination=a%26b&limit=5 ", "No dead letters.\n", ""},
		{"dead " + first + " --destination crm", 404, `{"error":"there is no dead letter"}`, "GET /webhooks/dead/" + first + "?destination=crm ", "", "there is no dead letter"},
		{"dead --discard --all", 200, `{"discarded":2}`, `DELETE /webhooks/dead {"dead":true}`, "Discarded 2 dead letters.\n", ""},
		{"dead --discard --all --destination crm", 200, `{"discarded":0}`, `DELETE /webhooks/dead {"dead":true,"destination":"crm"}`, "No dead letters.\n", ""},
		{"dead --discard " + first, 200, `{"discarded":1}`, "DELETE /webhooks/dead/" + first + " ", "Discarded 1 dead letter.\n", ""},
		{"dead --discard", 0, "", "", "", "say what to discard: an id, or --all"},
		{"dead --discard --all --destination=", 0, "", "", "", "--destination is empty"},
		{"dead --all", 0, "", "", "", "--all goes with --discard"},
		{"dead --discard --all " + first, 0, "", "", "", "not both"},
		{"dead ../config", 0, "", "", "", "does not name an event"},
		{"replay --dead", 200, `{"replayed":3}`, `POST /webhooks/replay {"dead":true}`, "3 deliveries will be made again.\n", ""},
		{"replay " + first, 200, `{"replayed":1}`, `POST /webhooks/replay {"ids":["` + first + `"]}`, "1 delivery will be made again.\n", ""},
		{"replay --dead --json", 200, `{"replayed":0}`, `POST /webhooks/replay {"dead":true}`, "{\n  \"replayed\": 0\n}\n", ""},
		{"replay --dead --destination crm", 200, `{"replayed":0}`, `POST /webhooks/replay {"dead":true,"destination":"crm"}`, "Nothing to replay.\n", ""},
		{"pause a/b", 200, `{}`, "POST /webhooks/pause/a%2Fb ", "Paused a/b; its events wait until \"caddy webhooks resume a/b\".\n", ""},
		{"resume crm", 200, `{}`, "POST /webhooks/resume/crm ", "Resumed crm.\n", ""},
		{"forget old", 200, `{"discarded":12}`, "POST /webhooks/forget/old ", "Forgot old, and discarded 12 events that it still had.\n", ""},
		{"forget crm", 409, `{"error":"crm is in use; remove it: \u001b first"}`, "POST /webhooks/forget/crm ", "", `crm is in use; remove it: \u001b first`},
		{"pause crm", 404, "404 page not found\n", "POST /webhooks/pause/crm ", "", "is no Caddy with this module: HTTP 404: 404 page not found"},
	} {
		var request string
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body json.RawMessage
			_ = json.NewDecoder(r.Body).Decode(&body)
			request = fmt.Sprintf("%s %s %s", r.Method, r.RequestURI, body)
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.answer)
		}))
		name, rest, _ := strings.Cut(c.args, " ")
		cmd, run := commands[name]()
		fl, args := flagsOf(t, cmd, strings.Fields(rest)...)
		var out, notes strings.Builder
		err := run(adminClient{&out, &notes, fl, strings.TrimPrefix(api.URL, "http://")}, args)
		api.Close()
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v; want %q", c.args, err, c.err)
		}
		if request != c.request || out.String() != c.out {
			t.Errorf("%s: asked %q, printed %q; want %q, %q", c.args, request, out.String(), c.request, c.out)
		}
	}
}

func TestQueueCommandsWithoutGateway(t *testing.T) {
	fl, args := flagsOf(t, pauseCommand(), "crm")
	err := runPause(adminClient{flags: fl, address: "127.0.0.1:1"}, args)
	if err == nil || !strings.HasPrefix(err.Error(), "no Caddy answers at 127.0.0.1:1; --address says where else") {
		t.Error(err)
	}
}
