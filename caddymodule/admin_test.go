package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// TestReady shows what load balancers are told.
func TestReady(t *testing.T) {
	secretIn(t, "SECRET")
	g := startNotifly(t, startApplication(t))
	wantAdmin(t, "GET", "/webhooks/ready", "", 200, `{"ready":true}`)
	wantAdmin(t, "GET", "/webhooks/destinations", "", 404, `{"error":"there is no queue: no block of the configuration has a `+"`destination`"+`"}`)
	g.site += "\n\twebhooks /queued wotnot {\n\t\ttoken {env.SECRET}\n\t\tdestination app {\n\t\t\tto {\n\t\t\t\trespond 204\n\t\t\t}\n\t\t}\n\t}\n"
	g.global = ownQueue(t)
	g.load("with a queue")
	wantAdmin(t, "GET", "/webhooks/ready", "", 200, `{"ready":true}`)
	wantAdmin(t, "GET", "/webhooks/dead", "", 200, `[]`)
	waitBacklog(t, "app", 0)
	wantAdmin(t, "GET", "/webhooks/destinations", "", 200, `[{"destination":"app","configured":true,"here":true,"paused":false,"down":false,"backlog":0,"dead_letters":0,"gateway":"…`)
	wantAdmin(t, "GET", "/webhooks/nothing", "", 404, `{"error":"no such endpoint: /webhooks/nothing (try ready, queue, blocks, destinations, events, tail, refusals, dead, causes, replay, pause/{name}, resume/{name} or forget/{name} under /webhooks/)"}`)
	loadNothing(t)
	wantAdmin(t, "GET", "/webhooks/ready", "", 200, `{"ready":true}`)
}

// TestDeadLetters shows how dead letters are listed, shown, replayed and
// discarded over the API.
func TestDeadLetters(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app, up := startWithoutCRM(t)
	twoDestinations(t, app)
	sendNotifly(t, secret, "1", "2", "3")
	waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 3 })
	waitDelivered(t, "crm")
	waitDelivered(t, "archive")
	if n := gauge(t, "dead_letters", "archive"); n != 0 {
		t.Errorf("%d dead letters of the one that works", n)
	}

	var letters []struct {
		ID, Destination, Provider, Type, Excerpt string
		EventID                                  string `json:"event_id"`
		LastStatus                               int    `json:"last_status"`
		LastError                                string `json:"last_error"`
		Attempts                                 int
		Body                                     json.RawMessage
	}
	read := func(uri string, want int) {
		t.Helper()
		letters = nil
		status, answer := adminGet(t, uri)
		if err := json.Unmarshal([]byte(answer), &letters); err != nil || status != 200 || len(letters) != want {
			t.Fatalf("%s: %d %s", uri, status, answer)
		}
	}
	read("/webhooks/dead", 3)
	for _, l := range letters {
		if l.ID != keyOf(l.EventID) || l.Destination != "crm" || l.Provider != "notifly" || l.Type != "message.created" ||
			l.Attempts != 2 || l.LastStatus != 502 || l.LastError != "answered 502" || l.Excerpt != "the crm is <away>" {
			t.Errorf("%+v", l)
		}
	}
	read("/webhooks/dead?limit=2", 2)
	read("/webhooks/dead?destination=archive", 0)
	read("/webhooks/dead/"+keyOf("1"), 1)
	if sent := app.toPath("/crm")[0]; !strings.Contains(string(letters[0].Body), `"partitionkey":"c-1"`) || len(sent.Body) != len(letters[0].Body) {
		t.Errorf("the body is %s", letters[0].Body)
	}
	for _, c := range []struct {
		method, uri, body string
		status            int
		want              string
	}{
		{"GET", "/webhooks/dead?destination=cmr", "", 404, "{\"error\":\"no destination \\\"cmr\\\"; there are archive and crm\"}"},
		{"GET", "/webhooks/dead?destinatoin=crm", "", 400, `{"error":"unknown parameter \"destinatoin\"…`},
		{"GET", "/webhooks/dead/" + keyOf("none"), "", 404, `{"error":"…`},
		{"GET", "/webhooks/dead/" + keyOf("1") + "?destination=archive", "", 404, `{"error":"no dead letter ` + keyOf("1") + `"}`},
		{"DELETE", "/webhooks/dead/" + keyOf("none"), "", 404, `{"error":"…`},
		{"DELETE", "/webhooks/dead", "", 400, `{"error":"the body is not a selection…`},
		{"DELETE", "/webhooks/dead/" + keyOf("1") + "?destination=archive", "", 404, `{"error":"…`},
		{"DELETE", "/webhooks/dead/" + keyOf("1"), "", 200, `{"discarded":1}`},
		{"DELETE", "/webhooks/dead/" + keyOf("1"), "", 404, `{"error":"…`},
		{"POST", "/webhooks/replay", `{"ids":["` + keyOf("none") + `"]}`, 404, `{"error":"…`},
		{"POST", "/webhooks/replay", `{"dead":true,"destination":"nobody"}`, 404, `{"error":"…`},
	} {
		wantAdmin(t, c.method, c.uri, c.body, c.status, c.want)
	}

	// A replay has new attempts, says that it is one, and is no duplicate.
	up.Store(true)
	before := len(app.toPath("/crm"))
	wantAdmin(t, "POST", "/webhooks/replay", `{"ids":["`+keyOf("2")+`"],"destination":"crm"}`, 200, `{"replayed":1}`)
	waitFor(t, func() bool { return len(app.toPath("/crm")) == before+1 })
	last := app.toPath("/crm")[before]
	if last.Header.Get("Webhook-Replay") != "true" || last.Header.Get("Webhook-Attempt") != "1" || last.Header.Get("Webhook-Id") != keyOf("2") {
		t.Errorf("%v", last.Header)
	}
	wantAdmin(t, "POST", "/webhooks/replay", `{"dead":true}`, 200, `{"replayed":1}`)
	waitFor(t, func() bool { return len(app.toPath("/crm")) == before+2 && gauge(t, "dead_letters", "crm") == 0 })
	waitDelivered(t, "crm")

	// What was delivered can be replayed too: to all that took it, or to one.
	all := len(app.requests())
	wantAdmin(t, "POST", "/webhooks/replay", `{"ids":["`+keyOf("1")+`"]}`, 200, `{"replayed":2}`)
	waitFor(t, func() bool { return len(app.requests()) == all+2 })
	wantAdmin(t, "POST", "/webhooks/replay", `{"since":"2000-01-01T00:00:00Z","destination":"archive"}`, 200, `{"replayed":3}`)
	waitFor(t, func() bool { return len(app.requests()) == all+5 })
	for _, r := range app.requests()[all:] {
		if r.Header.Get("Webhook-Replay") != "true" {
			t.Errorf("%s %v", r.URI, r.Header)
		}
	}
	waitDelivered(t, "archive")
	sendNotifly(t, secret, "1", "2", "3") // which are duplicates still
	waitDelivered(t, "archive")
	app.want(t, all+5)
}

// TestPause shows that nothing goes to a destination that is paused, also after
// a reload and a restart, and that the others go on.
func TestPause(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := twoDestinations(t, app)
	wantAdmin(t, "POST", "/webhooks/pause/crm", "", 200, `{}`)
	wantAdmin(t, "POST", "/webhooks/pause/cmr", "", 404, "{\"error\":\"no destination \\\"cmr\\\"; there are archive and crm\"}")
	for i, next := range []func(){func() {}, func() { g.load("reloaded") }, g.restart} {
		next()
		sendNotifly(t, secret, fmt.Sprint(i))
		waitFor(t, func() bool { return len(app.toPath("/archive")) == i+1 })
		waitBacklog(t, "crm", i+1)
	}
	wantAdmin(t, "GET", "/webhooks/destinations", "", 200, `[{"destination":"archive","configured":true,"here":true,"paused":false,…`)
	if status, answer := adminGet(t, "/webhooks/destinations"); status != 200 || !strings.Contains(answer, `{"destination":"crm","configured":true,"here":true,"paused":true,"down":false,"backlog":3,"oldest_undelivered":"`) {
		t.Error(answer)
	}
	wantAdmin(t, "POST", "/webhooks/resume/crm", "", 200, `{}`)
	waitDelivered(t, "crm")
	if n := len(app.toPath("/crm")); n != 3 {
		t.Errorf("%d events", n)
	}
}

// ages are what differs in two runs of a command.
var ages = regexp.MustCompile(`\b\d+s\b|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

// gateways are the names that gateways give themselves.
var gateways = regexp.MustCompile(`\S+-[a-z2-7]{8}\b`)

// logged returns the message of the line of the log that Caddy makes of an error
// of a command where there is no terminal.
func logged(line string) string {
	var read struct{ Msg string }
	if json.Unmarshal([]byte(line), &read) != nil {
		return line
	}
	return read.Msg
}

// TestRunQueueCommands runs the commands as people do, against a gateway.
func TestRunQueueCommands(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app, up := startWithoutCRM(t)
	g := twoDestinations(t, app)
	sendNotifly(t, secret, "1")
	waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 1 })
	sendNotifly(t, secret, "2")
	waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 2 })
	waitDelivered(t, "crm")
	waitDelivered(t, "archive")

	for _, c := range []struct {
		args string
		ok   bool
		want string // all of it
		do   func()
	}{
		{"dead", true, `ID                                    PROVIDER  EVENT  TYPE             DESTINATION  ATTEMPTS  STATUS  AGE
` + keyOf("2") + `  notifly   2      message.created  crm          2         502     AGE
` + keyOf("1") + `  notifly   1      message.created  crm          2         502     AGE
`, nil},
		{"dead --limit 1 --json", true, `[
  {
    "id": "` + keyOf("2") + `",
    "destination": "crm",
    "provider": "notifly",
    "event_id": "2",
    "type": "message.created",
    "attempts": 2,
    "last_status": 502,
    "last_error": "answered 502",
    "excerpt": "the crm is <away>",
    "received": "AGE",
    "died": "AGE"
  }
]
`, nil},
		{"dead --destination archive", true, "No dead letters.\n", nil},
		{"dead --destination cmr", false, "no destination \"cmr\"; there are archive and crm", nil},
		{"dead " + keyOf("1"), true, `id           ` + keyOf("1") + `
provider     notifly
event        1
type         message.created
destination  crm
received     AGE (AGE ago)
died         AGE (AGE ago)
attempts     2
last status  502
last error   answered 502
last answer  the crm is <away>

{
  "specversion": "1.0",
  "id": "1",
  "source": "/webhooks/notifly",
  "type": "message.created",
  "subject": "conversations/c-1",
  "recordedtime": "AGE",
  "partitionkey": "c-1",
  "provider": "notifly",
  "providertype": "message.created",
  "datacontenttype": "application/json",
  "data": {
    "conversation": {
      "id": "c-1"
    },
    "message": {
      "id": "m-1",
      "kind": "text",
      "text": "hi"
    },
    "original": {
      "id": "1",
      "type": "message.created",
      "payload": {
        "id": "m-1",
        "conversation_id": "c-1",
        "message": "hi"
      }
    }
  }
}
`, nil},
		{"dead " + keyOf("3"), false, "no dead letter " + keyOf("3") + "", nil},
		{"dead --discard " + keyOf("1"), true, "Discarded 1 dead letter.\n", nil},
		{"dead --discard " + keyOf("1"), false, "no dead letter " + keyOf("1") + "", nil},
		{"pause crm", true, "Paused crm until \"caddy webhooks resume crm\".\n", nil},
		{"pause cmr", false, "no destination \"cmr\"; there are archive and crm", nil},
		{"replay --dead", true, "Replaying 1 delivery.\n", func() { up.Store(true) }},
		{"resume crm", true, "Resumed crm.\n", nil},
		{"dead", true, "No dead letters.\n", nil},
		{"replay --dead", true, "Nothing to replay.\n", func() { waitDelivered(t, "crm") }},
		{"replay --since 1h --destination archive --yes", true, "Replaying 2 deliveries to archive.\n", nil},
		{"replay --since 1h --destination archives", false, "no destination \"archives\"; there are archive and crm", nil},
		{"replay --yes " + keyOf("1") + " " + keyOf("2"), true, "Replaying 4 deliveries.\n", func() { waitDelivered(t, "archive") }},
		{"replay " + keyOf("1") + " " + keyOf("3"), false, "unknown: " + keyOf("3") + " is not in the queue; it may have been older than `retention`", nil},
		{"replay", false, "select the events with one of: ids, --dead, --since <time>, filters other than --destination", nil},
		{"forget crm", false, "crm is in use; remove the `destination` block from the configuration first", func() { waitDelivered(t, "crm") }},
		{"pause crm --json", true, "{}\n", nil},
		{"forget crm", true, "Forgot crm and discarded its 1 remaining event.\n", func() {
			sendNotifly(t, secret, "4")
			g.change("destination crm", "destination customers")
		}},
		{"forget crm", false, "no destination \"crm\"; there is none to forget", nil},
	} {
		if c.do != nil {
			c.do()
		}
		out, errs, ok := run(t, "", append(strings.Fields(c.args), "--address", adminAddress)...)
		out = gateways.ReplaceAllString(out, "GATEWAY")
		if got := ages.ReplaceAllString(out+logged(errs), "AGE"); ok != c.ok || got != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.args, ok, got, c.want)
		}
	}
}
