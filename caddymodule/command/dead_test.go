package command

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

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
