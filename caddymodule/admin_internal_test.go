package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

var (
	firstKey  = envelope.NewKey("/webhooks/notifly", "1")
	secondKey = envelope.NewKey("/webhooks/notifly", "2")
)

func TestParseSelection(t *testing.T) {
	quoted := fmt.Sprintf
	all := []string{"ids", "dead", "since"}
	for _, c := range []struct {
		body string
		ways []string
		want queue.Selection
		err  string
	}{
		{`{"dead":true}`, all, queue.Selection{Dead: true}, ""},
		{`{"dead":true,"destination":"crm"}` + "\n", all, queue.Selection{Dead: true, Destination: "crm"}, ""},
		{`{"since":"2026-01-02T15:04:05Z","dead":false}`, all, queue.Selection{Since: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)}, ""},
		{quoted(`{"ids":[%q,%q,%q]}`, firstKey, secondKey, firstKey), all, queue.Selection{Keys: []envelope.Key{firstKey, secondKey}}, ""},

		{``, all, queue.Selection{}, "it is empty"},
		{`null`, all, queue.Selection{}, "exactly one of ids, dead, since"},
		{`{}`, all, queue.Selection{}, "exactly one of ids, dead, since"},
		{`{"destination":"crm"}`, all, queue.Selection{}, "exactly one of"},
		{`{"ids":[]}`, all, queue.Selection{}, "exactly one of"},
		{quoted(`{"ids":[%q],"dead":true}`, firstKey), all, queue.Selection{}, "exactly one of"},
		{`{"dead":true,"since":"2026-01-02T15:04:05Z"}`, all, queue.Selection{}, "exactly one of"},
		{`{"since":"2026-01-02T15:04:05Z"}`, all[:2], queue.Selection{}, "exactly one of ids, dead"},
		{`{"dead":true,"destination":""}`, all, queue.Selection{}, "destination is empty"},
		{`{"dead":true,"delivery":"crm"}`, all, queue.Selection{}, `unknown field "delivery"`},
		{`{"dead":true}{"destination":"crm"}`, all, queue.Selection{}, "something follows"},
		{`{"dead":true}}`, all, queue.Selection{}, "something follows"},
		{`{"dead":"yes"}`, all, queue.Selection{}, "not a selection"},
		{`["msg_"]`, all, queue.Selection{}, "not a selection"},
		{`{"ids":["msg_x"]}`, all, queue.Selection{}, `"msg_x" does not name an event`},
		{quoted(`{"ids":[%q,""]}`, firstKey), all, queue.Selection{}, `"" does not name an event`},
		{`{"since":"yesterday"}`, all, queue.Selection{}, `"yesterday" is not a time in RFC 3339`},
		{`{"since":"2026-01-02"}`, all, queue.Selection{}, "is not a time"},
		{`{"since":"0001-01-01T00:00:00Z"}`, all, queue.Selection{}, "the year 1"},
		{`{"since":"9999-01-01T00:00:00Z"}`, all, queue.Selection{}, "the year 9999"},
	} {
		got, err := parseSelection([]byte(c.body), c.ways)
		switch {
		case c.err == "" && (err != nil || !reflect.DeepEqual(got, c.want)):
			t.Errorf("%s: %+v, %v; want %+v", c.body, got, err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: %v; want %s", c.body, err, c.err)
		}
	}
}

func TestReadQuery(t *testing.T) {
	for query, want := range map[string]string{
		"":                      "",
		"destination=crm":       "",
		"destinatoin=crm":       `unknown parameter "destinatoin"; use destination, limit`,
		"destination=":          "takes one value",
		"limit=1&limit=2":       "takes one value",
		"destination=%zz":       "malformed",
		"destination=a;limit=1": "malformed",
	} {
		_, err := readQuery(httptest.NewRequest(http.MethodGet, "/webhooks/dead?"+query, nil), "destination", "limit")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", query, err, want)
		}
	}
	for query, want := range map[string]int{"": 100, "limit=1": 1, "limit=1000": 1000, "limit=0": 0, "limit=1001": 0, "limit=-1": 0, "limit=x": 0} {
		read, err := readQuery(httptest.NewRequest(http.MethodGet, "/webhooks/dead?"+query, nil), "limit")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readLimit(read); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v; want %d", query, got, err, want)
		}
	}
}

// adminMux serves the routes as Caddy's admin endpoint does.
func adminMux() http.Handler {
	mux := http.NewServeMux()
	for _, route := range (AdminAPI{}).Routes() {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			err := route.Handler.ServeHTTP(w, r)
			if err == nil {
				return
			}
			answered, ok := err.(caddy.APIError) // Caddy does not unwrap it
			if !ok {
				panic(err)
			}
			if answered.Message == "" {
				answered.Message = answered.Err.Error()
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(answered.HTTPStatus)
			_ = json.NewEncoder(w).Encode(answered)
		})
	}
	return mux
}

// Without a running configuration there is no queue to ask.
func TestAdminRoutes(t *testing.T) {
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodGet, "/webhooks/ready", 503, ""},
		{http.MethodHead, "/webhooks/ready", 503, ""},
		{http.MethodPost, "/webhooks/ready", 405, "GET"},
		{http.MethodGet, "/webhooks/destinations", 503, ""},
		{http.MethodDelete, "/webhooks/dead", 503, ""},
		{http.MethodPost, "/webhooks/dead", 405, "DELETE, GET"},
		{http.MethodGet, "/webhooks/dead/msg_x", 503, ""},
		{http.MethodPut, "/webhooks/dead/msg_x", 405, "DELETE, GET"},
		{http.MethodGet, "/webhooks/replay", 405, "POST"},
		{http.MethodPost, "/webhooks/pause/crm", 503, ""},
		{http.MethodGet, "/webhooks/resume/crm", 405, "POST"},
		{http.MethodPost, "/webhooks/forget/c%2Frm", 503, ""},
		{http.MethodPost, "/webhooks/forget/", 404, ""},
		{http.MethodGet, "/webhooks/dead/", 404, ""},
		{http.MethodGet, "/webhooks/", 404, ""},
		{http.MethodGet, "/webhooks/nothing/here", 404, ""},
	} {
		w := httptest.NewRecorder()
		adminMux().ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		var answer struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Error == "" {
			t.Errorf("%s %s: %s", c.method, c.path, w.Body)
		}
		if w.Code != c.status || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", c.method, c.path, w.Code, w.Header().Get("Allow"), c.status, c.allow)
		}
	}
}

func TestAdminBodyIsBounded(t *testing.T) {
	page := adminPage{http.MethodPost: func(r *http.Request) (any, error) { return readSelection(r, "ids") }}
	body := strings.NewReader(`{"ids":["` + strings.Repeat("x", maxAdminBody) + `"]}`)
	err := page.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", body))
	if got := err.(caddy.APIError); got.HTTPStatus != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %v", got.HTTPStatus, got)
	}
}

// What is wrong inside does not leave; what the caller can mend does.
func TestToAPIError(t *testing.T) {
	inside := errors.New("pq: password of host db")
	for _, c := range []struct {
		err     error
		status  int
		message string
	}{
		{fmt.Errorf("%w: msg_a", queue.ErrUnknown), 404, ""},
		{fmt.Errorf("%w: crm", queue.ErrConfigured), 409, ""},
		{fmt.Errorf("%w: %w", queue.ErrUnavailable, inside), 503, "the queue is not available; the log of Caddy says why"},
		{queue.ErrClosed, 503, "the queue is not available; the log of Caddy says why"},
		{inside, 500, "that did not work; the log of Caddy says why"},
		{fmt.Errorf("wrapped: %w", errNotRunning), 503, errNotRunning.Message},
	} {
		got := toAPIError(c.err)
		if got.HTTPStatus != c.status || got.Message != c.message {
			t.Errorf("%v: %d %q; want %d %q", c.err, got.HTTPStatus, got.Message, c.status, c.message)
		}
		if got.Message == "" && got.Err != c.err {
			t.Errorf("%v: answered with %v", c.err, got.Err)
		}
	}
}

func TestCheckName(t *testing.T) {
	destinations := []queue.DestinationStatus{{Destination: "crm", Configured: true}, {Destination: "old"}}
	if err := checkName("old", destinations); err != nil {
		t.Error(err)
	}
	if err := checkName("cmr", destinations); err == nil || err.Error() != "no `destination` is called \"cmr\"; use one of crm, old" {
		t.Error(err)
	}
	if err := checkName("crm", nil); err == nil || err.Error() != "no `destination` is called \"crm\": there is none" {
		t.Error(err)
	}
}

func TestDeadLetterJSON(t *testing.T) {
	for body, want := range map[string]string{
		"":                 "",
		`{"n": 1.0,"s":1}`: `{"n": 1.0,"s":1}`,
		"a=b&c":            `"a=b\u0026c"`,
		"{\"a\":\"\xff\"}": `"{\"a\":\"` + "\\ufffd" + `\"}"`,
	} {
		if got := jsonBody([]byte(body)); string(got) != want {
			t.Errorf("%q: %s; want %s", body, got, want)
		}
	}
	letter := deadLetter{queue.DeadLetter{ID: "msg_a", Destination: "crm", Body: []byte("not this")}, json.RawMessage(`{"a":1}`)}
	encoded, err := json.Marshal(letter)
	if err != nil {
		t.Fatal(err)
	}
	var read map[string]any
	if err := json.Unmarshal(encoded, &read); err != nil {
		t.Fatal(err)
	}
	if read["id"] != "msg_a" || !reflect.DeepEqual(read["body"], map[string]any{"a": 1.0}) {
		t.Errorf("%s", encoded)
	}
	if encoded, _ := json.Marshal(orEmpty[queue.DeadLetter](nil)); string(encoded) != "[]" {
		t.Errorf("no dead letters are %s", encoded)
	}
}

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
		if err := printDeadLetter(&out, deadLetter{hostileLetter, json.RawMessage(c.body)}, now); err != nil {
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
		want selectionBody
		err  string
	}{
		{[]string{first, "--destination", "crm"}, selectionBody{IDs: []string{first}, Destination: new("crm")}, ""},
		{[]string{"--dead"}, selectionBody{Dead: true}, ""},
		{[]string{"--since", "2h"}, selectionBody{Since: "2026-01-04T10:00:00Z"}, ""},
		{[]string{"--since", "1d"}, selectionBody{Since: "2026-01-03T12:00:00Z"}, ""},
		{[]string{"--since", "2026-01-02T15:04:05.5+01:00"}, selectionBody{Since: "2026-01-02T14:04:05.5Z"}, ""},
		{[]string{"--dead", "--destination", ""}, selectionBody{}, "--destination is empty"},
		{nil, selectionBody{}, "say which events"},
		{[]string{"--destination", "crm"}, selectionBody{}, "say which events"},
		{[]string{first, "--dead"}, selectionBody{}, "say which events"},
		{[]string{"--dead", "--since", "2h"}, selectionBody{}, "say which events"},
		{[]string{"--since", "-2h"}, selectionBody{}, "or say how long ago"},
		{[]string{"--since", "0s"}, selectionBody{}, "or say how long ago"},
		{[]string{"--since", "yesterday"}, selectionBody{}, "or say how long ago"},
		{[]string{first, "nonsense"}, selectionBody{}, `"nonsense" does not name an event`},
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
