package command

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// flagsOf parses the arguments of a command.
func flagsOf(t *testing.T, cmd *cobra.Command, args ...string) (caddycmd.Flags, []string) {
	t.Helper()
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return caddycmd.Flags{FlagSet: cmd.Flags()}, cmd.Flags().Args()
}

// TestQueueCommands runs the commands against an API with fixed answers.
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
		{"dead --discard --all --yes", 200, `{"discarded":2}`, `DELETE /webhooks/dead {"dead":true}`, "Discarded 2 dead letters.\n", ""},
		{"dead --discard --all --destination crm -y", 200, `{"discarded":0}`, `DELETE /webhooks/dead {"dead":true,"destination":"crm"}`, "No dead letters.\n", ""},
		{"dead --yes --discard " + first, 200, `{"discarded":1}`, "DELETE /webhooks/dead/" + first + " ", "Discarded 1 dead letter.\n", ""},
		{"dead --discard", 0, "", "", "", "--discard needs an id or --all"},
		{"dead --discard --all --destination=", 0, "", "", "", "--destination is empty"},
		{"dead --all", 0, "", "", "", "--all needs --discard"},
		{"dead --causes --discard --all", 0, "", "", "", "--causes takes no id and no --discard"},
		{"dead --causes " + first, 0, "", "", "", "--causes takes no id and no --discard"},
		{"dead --cause x", 0, "", "", "", "--cause needs --discard --all"},
		{"dead --discard --all --cause=", 0, "", "", "", "--cause is empty"},
		{"dead --discard --all --cause x --yes", 200, `{"discarded":1}`, `DELETE /webhooks/dead {"dead":true,"cause":"x"}`, "Discarded 1 dead letter.\n", ""},
		{"dead --causes", 200, `{"causes":[]}`, "GET /webhooks/causes ", "No dead letters.\n", ""},
		{"dead --causes --destination crm", 200, `{"causes":[]}`, "GET /webhooks/causes?destination=crm ", "No dead letters.\n", ""},
		{"dead --discard --all " + first, 0, "", "", "", "not both"},
		{"dead ../config", 0, "", "", "", "does not name an event"},
		{"replay --dead --yes", 200, `{"replayed":3}`, `POST /webhooks/replay {"dead":true}`, "Replaying 3 deliveries.\n", ""},
		{"replay -y " + first, 200, `{"replayed":1}`, `POST /webhooks/replay {"ids":["` + first + `"]}`, "Replaying 1 delivery.\n", ""},
		{"replay --dead --json --yes", 200, `{"replayed":0}`, `POST /webhooks/replay {"dead":true}`, "{\n  \"replayed\": 0\n}\n", ""},
		{"replay --dead --destination crm --yes", 200, `{"replayed":0}`, `POST /webhooks/replay {"dead":true,"destination":"crm"}`, "Nothing to replay.\n", ""},
		{"pause a/b", 200, `{}`, "POST /webhooks/pause/a%2Fb ", "Paused a/b until \"caddy webhooks resume a/b\".\n", ""},
		{"resume crm", 200, `{}`, "POST /webhooks/resume/crm ", "Resumed crm.\n", ""},
		{"forget old", 200, `{"discarded":12}`, "POST /webhooks/forget/old ", "Forgot old and discarded its 12 remaining events.\n", ""},
		{"forget crm", 409, `{"error":"crm is in use; remove it: \u001b first"}`, "POST /webhooks/forget/crm ", "", `crm is in use; remove it: \u001b first`},
		{"pause crm", 403, `{"error":"host not allowed: example.com:2019"}`, "POST /webhooks/pause/crm ", "", "does not allow the host of "},
		{"pause crm", 404, "404 page not found\n", "POST /webhooks/pause/crm ", "", " is not the admin endpoint of a Caddy with the webhooks module (it answered 404); set --address"},
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
		err := run(adminClient{ctx: t.Context(), in: strings.NewReader(""), w: &out, notes: &notes, flags: fl, address: strings.TrimPrefix(api.URL, "http://")}, args)
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
	if err == nil || !strings.HasPrefix(err.Error(), "no Caddy admin endpoint at 127.0.0.1:1 (") || !strings.HasSuffix(err.Error(), "); set --address") {
		t.Error(err)
	}
}
