package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// following is a command that runs until it is interrupted.
type following struct {
	*exec.Cmd
	out, notes lockedBuffer
}

// startTail starts `caddy webhooks tail`, and waits until it is connected.
func startTail(t *testing.T, args ...string) *following {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	f := &following{Cmd: exec.CommandContext(t.Context(), path, append([]string{"webhooks", "tail", "--address", adminAddress}, args...)...)}
	f.Stdout, f.Stderr = &f.out, &f.notes
	f.Env = append(os.Environ(), "XDG_CONFIG_HOME="+t.TempDir(), "XDG_DATA_HOME="+t.TempDir())
	if err := f.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return strings.Contains(f.notes.String(), "Ctrl-C ends it.") })
	return f
}

// interrupt ends it as Ctrl-C does, and returns what it has printed.
func (f *following) interrupt(t *testing.T) string {
	t.Helper()
	if err := f.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := f.Wait(); err != nil {
		t.Errorf("%v: %s", err, &f.notes)
	}
	noteText("output of tail", f.out.String()+f.notes.String())
	return f.out.String()
}

// TestJournalCommands looks into a gateway as people do.
func TestJournalCommands(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app, up := startWithoutCRM(t)
	g := twoDestinations(t, app)
	local := startApplication(t)
	feed, handed := startTail(t, "--json"), startTail(t, "--to", local.URL+"/in", "--sign", documentedKey)

	sendNotifly(t, secret, "1", "2", "1")
	body, header, _ := notifly(secret, "3")
	wantStatus(t, 401, "/", body, header, "forged")
	waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 2 })
	waitDelivered(t, "archive")
	waitFor(t, func() bool { return historyOf(t, keyOf("1")).Duplicates == 1 })
	at := "--address=" + adminAddress
	command := func(args ...string) string {
		t.Helper()
		out, errs, ok := run(t, "", append(args, at)...)
		if !ok {
			t.Errorf("%v: %s", args, errs)
		}
		return out
	}

	t.Run("events", func(t *testing.T) {
		line := func(id, outcome string) string {
			return regexp.MustCompile(`(?m)^.*` + outcome + `.*\n`).FindString(command("events", "--id", id))
		}
		for id, outcome := range map[string]string{"1": "crm dead (502), archive delivered, 1 duplicate", "2": "crm dead (502), archive delivered"} {
			want := keyOf(id) + "  notifly   message.created  conversations/c-" + id + "  " + outcome + "\n"
			if got := line(id, regexp.QuoteMeta(outcome)); !strings.HasSuffix(got, want) {
				t.Errorf("%q; want %q", got, want)
			}
		}
		for args, want := range map[string]int{
			"": 2, "--limit 1": 1, "--state dead --destination crm": 2, "--state dead --destination archive": 0,
			"--type message.* --since 1h": 2, "--until 1h": 0, "--partitionkey c-2": 1, `--text "m-1"`: 1, "--provider wotnot": 0,
		} {
			out := command(append([]string{"events", "--json"}, strings.Fields(args)...)...)
			n := strings.Count(out, "\n")
			for line := range strings.Lines(out) {
				if !json.Valid([]byte(line)) {
					t.Errorf("%s: %s", args, line)
				}
			}
			if n != want {
				t.Errorf("%s: %d events; want %d", args, n, want)
			}
		}
		if _, errs, ok := run(t, "", "events", "--destination", "cmr", at); ok || !strings.Contains(errs, "no destination") {
			t.Error(errs)
		}
	})
	t.Run("event", func(t *testing.T) {
		sent, _, _ := notifly(secret, "1")
		if got := command("event", keyOf("1"), "--original"); got != string(sent) {
			t.Errorf("%q; want %q", got, sent)
		}
		delivered := app.toPath("/archive")[0]
		if got := command("event", delivered.Header.Get("webhook-id"), "--envelope"); got != string(delivered.Body) {
			t.Errorf("%q; want %q", got, delivered.Body)
		}
		shown := command("event", keyOf("1"))
		for _, want := range []string{"partition key  c-1\n", "duplicates     1, the last ", "archive: delivered\n", "crm: dead (502)\n", "  2        ", "last answer: the crm is <away>\n", `"text": "hi"`} {
			if !strings.Contains(shown, want) {
				t.Errorf("no %q in\n%s", want, shown)
			}
		}
		if got := command("event", keyOf("1"), "--curl"); !strings.Contains(got, "-H 'webhook-id: "+keyOf("1")+"'") {
			t.Error(got)
		}
		if _, errs, ok := run(t, "", "event", keyOf("4"), at); ok || !strings.Contains(errs, "no event "+keyOf("4")) {
			t.Error(errs)
		}
	})
	t.Run("lists", func(t *testing.T) {
		for command, got := range map[string]string{
			`(?m)^\S+ +/webhooks/notifly +bad_credential +401 +127\.0\.0\.1 +POST /, \d+ B +\S.*$`:                                                      command("refusals", "--reason", "bad_credential"),
			`(?m)^notifly +/webhooks/notifly +\d+s ago +\S+ +\d+s ago +bad_credential +1 +crm, archive$`:                                                command("blocks"),
			`(?s)\ncrm +delivering +0 +- +2 +\S+ +\S+ +[\d.]+ ms +[\d.]+ ms +\S+ \*\n.*\ncrm has failed for \d+s, the last time \d+s ago: answered 502`: command("destinations"),
			`(?m)^crm +2 +\d+s +\d+s +answered 502$`: command("dead", "--causes"),
		} {
			if !regexp.MustCompile(command).MatchString(got) {
				t.Errorf("%s does not match\n%s", command, got)
			}
		}
	})
	t.Run("tail", func(t *testing.T) {
		g.load("another config") // which ends the connections
		waitFor(t, func() bool {
			return strings.Count(feed.notes.String()+handed.notes.String(), "Connected again.\n") == 2
		})
		sendNotifly(t, secret, "5")
		requests := func() []got { return local.requests() }
		waitFor(t, func() bool { return len(requests()) == 3 && strings.Count(feed.out.String(), `{"event":`) == 4 })
		for i, id := range []string{"1", "2", "5"} {
			r := requests()[i]
			if r.Header.Get("webhook-id") != keyOf(id) || !strings.HasPrefix(r.Header.Get("webhook-signature"), "v1,") || r.Method != http.MethodPost || r.URI != "/in" {
				t.Errorf("%d: %s %s %v", i, r.Method, r.URI, r.Header)
			}
		}
		if delivered := app.toPath("/archive")[0]; delivered.Header.Get("webhook-id") == keyOf("1") && !bytes.Equal(requests()[0].Body, delivered.Body) {
			t.Errorf("%s; want %s", requests()[0].Body, delivered.Body)
		}
		out := feed.interrupt(t)
		for _, want := range []string{
			`{"event":{"id":"` + keyOf("1") + `"`, `"outcome":"duplicate"`, `{"attempt":{"id":"` + keyOf("2") + `"`,
			`{"refusal":{`, `"reason":"bad_credential"`, `{"event":{"id":"` + keyOf("5") + `"`,
		} {
			if !strings.Contains(out, want) {
				t.Errorf("no %s in\n%s", want, out)
			}
		}
		if out = handed.interrupt(t); strings.Count(out, "\n") != 3 || strings.Count(out, "  200 in ") != 3 {
			t.Error(out)
		}
	})
	t.Run("replay", func(t *testing.T) {
		waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 3 })
		up.Store(true)
		_, errs, ok := run(t, "", "replay", "--dead", "--cause", "answered 502", at)
		if ok || !strings.HasPrefix(errs, "Replay 3 deliveries? [y/N] ") || !strings.Contains(errs, "nothing was replayed; pass --yes to run without a prompt") {
			t.Error(errs)
		}
		if got := command("replay", "--state", "dead", "--partitionkey", "c-1", "--dry-run"); got != "Would replay 1 delivery.\n" {
			t.Error(got)
		}
		if got := command("replay", "--state", "dead", "--destination", "crm", "--partitionkey", "c-1"); got != "Replaying 1 delivery to crm.\n" {
			t.Error(got)
		}
		if out, _, ok := run(t, "y\n", "dead", "--discard", "--all", "--cause", "answered 502", at); !ok || out != "Discarded 2 dead letters.\n" {
			t.Error(out)
		}
		waitDelivered(t, "crm")
		if got := fmt.Sprint(len(app.toPath("/crm"))); got != "7" {
			t.Errorf("the crm got %s requests", got)
		}
	})
}
