package command

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
)

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
		{nil, admin.Selection{}, "select the events with one of"},
		{[]string{"--destination", "crm"}, admin.Selection{}, "select the events with one of"},
		{[]string{first, "--dead"}, admin.Selection{}, "select the events with only one of"},
		{[]string{"--dead", "--since", "2h"}, admin.Selection{}, "as a filter, use --state dead"},
		{[]string{"--dead", "--provider", "notifly"}, admin.Selection{}, "as a filter, use --state dead"},
		{[]string{first, "--since", "2h"}, admin.Selection{}, "select the events with only one of"},
		{[]string{first, "--type", "message.*"}, admin.Selection{}, "select the events with only one of"},
		{[]string{"--since", "2h", "--destination", "crm"}, admin.Selection{Since: "2026-01-04T10:00:00Z", Destination: new("crm")}, ""},
		{[]string{"--until", "2h"}, admin.Selection{Filter: map[string]string{"until": "2026-01-04T10:00:00Z"}}, ""},
		{
			[]string{"--since", "2h", "--destination", "crm", "--state", "dead"},
			admin.Selection{Filter: map[string]string{"since": "2026-01-04T10:00:00Z", "destination": "crm", "state": "dead"}}, "",
		},
		{[]string{"--dead", "--cause", "answered 500"}, admin.Selection{Dead: true, Cause: "answered 500"}, ""},
		{[]string{"--dead", "--cause", ""}, admin.Selection{}, "--cause is empty"},
		{[]string{"--since", "2h", "--cause", "answered 500"}, admin.Selection{}, "--cause needs --dead"},
		{[]string{"--state", ""}, admin.Selection{}, "--state is empty"},
		{[]string{"--since", "-2h"}, admin.Selection{}, "is in the future"},
		{[]string{"--since", "yesterday"}, admin.Selection{}, "nor how long ago it was"},
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

// TestReplayAsks shows that more than one delivery is replayed only after a yes.
func TestReplayAsks(t *testing.T) {
	for _, c := range []struct {
		args, in  string
		would     int64
		requests  string // their bodies
		out, note string
		err       string
	}{
		{"--dead --destination crm", "y\n", 1180, `{"dead":true,"destination":"crm","dry_run":true} {"dead":true,"destination":"crm"}`, "Replaying 1,180 deliveries to crm.\n", "Replay 1,180 deliveries to crm? [y/N] ", ""},
		{"--dead", "YES\n", 2, `{"dead":true,"dry_run":true} {"dead":true}`, "Replaying 2 deliveries.\n", "Replay 2 deliveries? [y/N] ", ""},
		{"--dead", "n\n", 2, `{"dead":true,"dry_run":true}`, "", "Replay 2 deliveries? [y/N] ", "nothing was replayed"},
		{"--dead", "", 2, `{"dead":true,"dry_run":true}`, "", "Replay 2 deliveries? [y/N] \n", "nothing was replayed; pass --yes to run without a prompt"},
		{"--dead --json", "y\n", 2, `{"dead":true,"dry_run":true} {"dead":true}`, "{\n  \"replayed\": 2\n}\n", "Replay 2 deliveries? [y/N] ", ""},
		{"--dead --yes", "", 2, `{"dead":true}`, "Replaying 2 deliveries.\n", "", ""},
		{"--dead", "", 1, `{"dead":true,"dry_run":true} {"dead":true}`, "Replaying 1 delivery.\n", "", ""},
		{"--dead", "", 0, `{"dead":true,"dry_run":true} {"dead":true}`, "Nothing to replay.\n", "", ""},
		{"--dead --dry-run", "", 1180, `{"dead":true,"dry_run":true}`, "Would replay 1,180 deliveries.\n", "", ""},
		{"--dead --dry-run --json --yes", "", 5, `{"dead":true,"dry_run":true}`, "{\n  \"replayed\": 0,\n  \"would_replay\": 5\n}\n", "", ""},
		{"--type a.* --destination \u202ecrm", "n\n", 2, "{\"filter\":{\"destination\":\"\u202ecrm\",\"type\":\"a.*\"},\"dry_run\":true}", "", `Replay 2 deliveries to \u202ecrm? [y/N] `, "nothing was replayed"},
	} {
		var requests []string
		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			requests = append(requests, string(body))
			answer := admin.Replayed{Replayed: c.would}
			if strings.Contains(string(body), "dry_run") {
				answer = admin.Replayed{WouldReplay: &c.would}
			}
			_ = json.NewEncoder(w).Encode(answer)
		})
		got := runOn(t, t.Context(), api, screen{}, c.in, replayCommand(), runReplay, strings.Fields(c.args)...)
		if (got.err == nil) != (c.err == "") || got.err != nil && got.err.Error() != c.err {
			t.Errorf("%s: %v; want %q", c.args, got.err, c.err)
		}
		if text := strings.Join(requests, " "); text != c.requests || got.out != c.out || got.notes != c.note {
			t.Errorf("%s: asked %s, printed %q and %q", c.args, text, got.out, got.notes)
		}
	}
}
