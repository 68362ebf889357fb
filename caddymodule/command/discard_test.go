package command

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// TestDiscardAsks shows that more than one dead letter is discarded only after a yes.
func TestDiscardAsks(t *testing.T) {
	for _, c := range []struct {
		args, in  string
		would     int64
		requests  string
		out, note string
		err       string
	}{
		{"--discard --all --destination crm", "y\n", 1180, `DELETE {"dead":true,"destination":"crm","dry_run":true} DELETE {"dead":true,"destination":"crm"}`, "Discarded 1,180 dead letters.\n", "Discard 1,180 dead letters of crm? [y/N] ", ""},
		{"--discard --all", "", 2, `DELETE {"dead":true,"dry_run":true}`, "", "Discard 2 dead letters? [y/N] \n", "nothing was discarded; pass --yes to run without a prompt"},
		{"--discard --all", "", 1, `DELETE {"dead":true,"dry_run":true} DELETE {"dead":true}`, "Discarded 1 dead letter.\n", "", ""},
		{"--discard --all", "", 0, `DELETE {"dead":true,"dry_run":true} DELETE {"dead":true}`, "No dead letters.\n", "", ""},
		{"--discard " + knownID, "n\n", 2, `GET `, "", "Discard 2 dead letters? [y/N] ", "nothing was discarded"},
		{"--discard " + knownID, "", 1, `GET  DELETE `, "Discarded 1 dead letter.\n", "", ""},
	} {
		var requests []string
		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			requests = append(requests, r.Method+" "+string(body))
			var answer any = admin.Discarded{Discarded: c.would}
			switch {
			case r.Method == http.MethodGet:
				answer = make([]admin.DeadLetter, c.would)
			case strings.Contains(string(body), "dry_run"):
				answer = admin.Discarded{WouldDiscard: &c.would}
			}
			_ = json.NewEncoder(w).Encode(answer)
		})
		got := runOn(t, t.Context(), api, screen{}, c.in, deadCommand(), runDead, strings.Fields(c.args)...)
		if (got.err == nil) != (c.err == "") || got.err != nil && got.err.Error() != c.err {
			t.Errorf("%s: %v; want %q", c.args, got.err, c.err)
		}
		if text := strings.Join(requests, " "); text != c.requests || got.out != c.out || got.notes != c.note {
			t.Errorf("%s: asked %s, printed %q and %q", c.args, text, got.out, got.notes)
		}
	}
}

func TestPrintCauses(t *testing.T) {
	causes := []queue.Cause{
		{Destination: "crm", Cause: "answered 500", DeadLetters: 1180, Oldest: now.Add(-50 * time.Hour), Newest: now.Add(-time.Minute)},
		{Destination: "archive", Cause: hostile, DeadLetters: 1, Oldest: now, Newest: now},
	}
	var out strings.Builder
	if err := printCauses(adminClient{w: &out, screen: screen{width: 72}}, causes, now); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"DESTINATION  DEAD   OLDEST  NEWEST  CAUSE\n" +
		"crm          1,180  2d      1m      answered 500\n" +
		`archive      1      0s      0s      a\u001b[2J\u202eb\u2066\u000d\u000a…` + "\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}
