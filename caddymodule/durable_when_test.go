package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// startWithConditions starts a gateway that delivers Notifly's events to app by what is in
// them: texts that begin with a, of all but one conversation, at /a; and those of one
// conversation, in order, at /few.
func startWithConditions(t testing.TB, app *application, queue string) *gateway {
	t.Helper()
	return start(t, fmt.Sprintf(`
	webhooks notifly {
		secret {env.SECRET}
		destination a {
			when data.message.text is a*
			when data.original.payload.conversation_id is not c-9
			to {
				rewrite * /a
				%[1]s
			}
		}
		destination few {
			ordered
			types message.*
			when subject is conversations/c-1 contacts/*
			to {
				rewrite * /few
				%[1]s
			}
		}
	}
	`, app.proxy()), queue)
}

// sendText sends a message of a conversation to the gateway as Notifly, and returns the
// outcome in its receipt.
func sendText(t testing.TB, secret, id, conversation, text string) string {
	t.Helper()
	body := fmt.Appendf(nil, `{"id":%q,"type":"message.created","payload":{"id":"m-%s","conversation_id":%q,"message":%q}}`, id, id, conversation, text)
	receipt := wantStatus(t, 200, "/", body, "X-Notifly-Signature", hexMAC(secret, body), "Prefer", "webhook-receipt")
	return receipt.header.Get("Webhook-Outcome")
}

// wantTexts waits for the texts that came to a path, sorted.
func wantTexts(t testing.TB, app *application, path, want string) {
	t.Helper()
	waitFor(t, func() bool {
		got := strings.Fields(texts(t, app.toPath(path)))
		slices.Sort(got)
		return strings.Join(got, " ") == want
	})
}

// TestWhen shows which destination gets an event by what is in it, that an event that none
// takes is stored and listed as unrouted, and what a replay takes.
func TestWhen(t *testing.T) {
	onEngines(t, func(t *testing.T, queue string) {
		secret := secretIn(t, "SECRET")
		app := startApplication(t)
		g := startWithConditions(t, app, queue)
		for i, c := range []struct{ conversation, text, want string }{
			{"c-1", "apple", "accepted"},
			{"c-2", "avocado", "accepted"},
			{"c-9", "apricot", "unrouted"},
			{"c-1", "zucchini", "accepted"},
			{"c-1", "banana", "accepted"},
			{"c-2", "blueberry", "unrouted"},
		} {
			if got := sendText(t, secret, fmt.Sprint(i), c.conversation, c.text); got != c.want {
				t.Errorf("%s of %s: %s, want %s", c.text, c.conversation, got, c.want)
			}
		}
		waitDelivered(t, "a")
		waitDelivered(t, "few")
		wantTexts(t, app, "/a", "apple avocado")
		if got := texts(t, app.toPath("/few")); got != "apple zucchini banana" {
			t.Errorf("%q came in order", got)
		}
		for query, want := range map[string]string{
			"?state=unrouted":  fmt.Sprint([]string{keyOf("5"), keyOf("2")}),
			"?destination=a":   fmt.Sprint([]string{keyOf("1"), keyOf("0")}),
			"?destination=few": fmt.Sprint([]string{keyOf("4"), keyOf("3"), keyOf("0")}),
		} {
			if got := fmt.Sprint(idsOf(readEvents(t, query).Events)); got != want {
				t.Errorf("events%s: %s, want %s", query, got, want)
			}
		}
		if n := len(g.logLines(`"level":"info"`, "no destination takes an event", `"provider":"notifly"`, `"source":"/webhooks/notifly"`, `"type":"message.created"`, keyOf("5"))); n != 1 {
			t.Errorf("%d lines about the event that no destination takes", n)
		}
		if n := len(g.logLines("no destination takes")); n != 2 {
			t.Errorf("%d lines, want 2", n)
		}
		wantAdmin(t, "POST", "/webhooks/replay", `{"since":"1h","dry_run":true}`, 200, `{"replayed":0,"would_replay":5}`)
		wantAdmin(t, "POST", "/webhooks/replay", `{"ids":["`+keyOf("5")+`"]}`, 200, `{"replayed":0}`)
		wantAdmin(t, "POST", "/webhooks/replay", `{"since":"1h","destination":"a"}`, 200, `{"replayed":2}`)
		wantTexts(t, app, "/a", "apple apple avocado avocado")
	})
}

// TestWhenReload changes the conditions of a destination with a backlog: they decide about
// all that it has not taken yet, and the backlog follows.
func TestWhenReload(t *testing.T) {
	onEngines(t, func(t *testing.T, queue string) {
		secret := secretIn(t, "SECRET")
		app := startApplication(t)
		g := startWithConditions(t, app, queue)
		wantAdmin(t, "POST", "/webhooks/pause/a", "", 200, `{}`)
		for i, text := range []string{"apple", "banana", "cherry", "avocado"} {
			sendText(t, secret, fmt.Sprint(i), "c-2", text)
		}
		waitBacklog(t, "a", 2)
		g.change("is a*", "is b* cherry")
		waitBacklog(t, "a", 2)
		g.change("is b* cherry", "is *")
		waitBacklog(t, "a", 4)
		g.change("when data.message.text is *", "# no condition on the text")
		waitBacklog(t, "a", 4)
		g.change("# no condition on the text", "when data.message.text is not a*")
		waitBacklog(t, "a", 2)
		wantAdmin(t, "POST", "/webhooks/resume/a", "", 200, `{}`)
		waitDelivered(t, "a")
		wantTexts(t, app, "/a", "banana cherry")
	})
}

// TestUnroutedAreSampled shows that events that no destination takes cannot flood the log,
// and that all are counted there.
func TestUnroutedAreSampled(t *testing.T) {
	secret := secretIn(t, "SECRET")
	g := durable(t, startApplication(t), "types contact.created")
	const events = 100
	for i := range events {
		sendNotifly(t, secret, fmt.Sprint(i))
	}
	waitFor(t, func() bool {
		n := 0
		for _, line := range g.logLines("no destination takes more events", `"provider":"notifly"`) {
			var more struct{ Count int }
			_ = json.Unmarshal([]byte(line), &more)
			n += more.Count
		}
		return n > 0 && n+len(g.logLines(`"msg":"no destination takes an event"`)) == events
	})
}
