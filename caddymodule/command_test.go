package caddymodule_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// binary builds cmd/caddy once: commands are tested as users run them, even if
// GOFLAGS asks for the race detector, with which Caddy takes seconds to start.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(logDir, "caddy")
	out, err := exec.Command("go", "build", "-race=false", "-o", path, "../cmd/caddy").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// run runs `caddy webhooks` and returns what it prints, and whether it went
// well.
func run(t *testing.T, stdin string, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	stdout, stderr, status := runStatus(t, stdin, args...)
	return stdout, stderr, status == 0
}

// runStatus is run with the exit status, which is -1 for a process that a signal
// has ended.
func runStatus(t *testing.T, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"webhooks"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+t.TempDir(), "XDG_DATA_HOME="+t.TempDir())
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	noteText("output of "+strings.Join(args[:1], ""), out.String()+errs.String())
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestProvidersCommand(t *testing.T) {
	out, _, ok := run(t, "", "providers")
	for _, name := range provider.Builtin() {
		if !ok || !strings.Contains(out, "\n"+name+" ") {
			t.Errorf("no %s in:\n%s", name, out)
		}
	}
	if out, _, ok = run(t, "", "providers", "assignee_change"); !ok || !strings.Contains(out, "\nwotnot ") || strings.Contains(out, "notifly") {
		t.Errorf("%s", out)
	}
	out, _, ok = run(t, "", "providers", "chatbot")
	for _, want := range []string{
		"token in query token", "handshake ",
		"the application's own", "interaction.matched",
	} {
		if !ok || !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte("{\n"+ownProviders+"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _, ok = run(t, "", "providers", "slacked", "--config", config); !ok || !strings.Contains(out, "hmac-sha256 in header X-Slack-Signature") {
		t.Errorf("%s", out)
	}
	if _, errs, ok := run(t, "", "providers", "nothing-of-the-kind"); ok || !strings.Contains(errs, "unknown provider") {
		t.Errorf("%s", errs)
	}
}

func TestSend(t *testing.T) {
	secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) { _, _ = io.WriteString(w, "thanks") })
	start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET}
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	webhooks /striped striped {
		secret {env.SECRET}
	}
	%s
	`, app.proxy()), ownProviders)
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte("{\n"+ownProviders+"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		stdin string
		args  []string
		ok    bool
		want  string
	}{
		{"a sample", "", []string{"notifly", "--to", gatewayURL + "/notifly", "--secret", "{env.SECRET}"}, true, "200 OK\naccepted: attachment.created msg_"},
		{"again", "", []string{"notifly", "--to", gatewayURL + "/notifly", "--secret", "{env.SECRET}"}, true, "200 OK\nduplicate: attachment.created msg_"},
		{"again, as a new one", "", []string{"notifly", "--new-id", "--to", gatewayURL + "/notifly", "--secret", "{env.SECRET}"}, true, "200 OK\naccepted: attachment.created msg_"},
		{"a named sample", "", []string{"notifly", "message.deleted", "--to", gatewayURL + "/notifly", "--secret", "{env.SECRET}"}, true, "200 OK"},
		{"the token comes back", "", []string{"wotnot", "note", "--to", gatewayURL + "/wotnot", "--token", "{env.SECRET}"}, true, "200 OK\naccepted: note.created "},
		{"the same as new bytes", "", []string{"wotnot", "note", "--new-id", "--to", gatewayURL + "/wotnot", "--token", "{env.SECRET}"}, true, "\n(the token)"},
		{"a handshake", "{}", []string{"wotnot", "--body", "-", "--to", gatewayURL + "/wotnot", "--token", "{env.SECRET}"}, true, "handshake: the gateway answered itself"},
		{"not a block", "", []string{"notifly", "--to", gatewayURL + "/elsewhere", "--secret", "{env.SECRET}"}, false, "200, but not from a webhooks block: check the path of --to"},
		{"an own provider", `{"id":"1","type":"charge.done"}`, []string{"striped", "--config", config, "--body", "-", "--to", gatewayURL + "/striped", "--secret", "{env.SECRET}"}, true, "200 OK"},
		{"a wrong key", "", []string{"notifly", "--to", gatewayURL + "/notifly", "--secret", "wrong"}, false, "not accepted"},
		{"no key", "", []string{"notifly", "--to", gatewayURL + "/notifly"}, false, "give the key with --secret"},
		{"no token", "", []string{"wotnot", "--to", gatewayURL + "/wotnot"}, false, "give it with --token"},
		{"an unset variable", "", []string{"notifly", "--to", gatewayURL, "--secret", "{env.WEBHOOKS_TEST_UNSET}"}, false, "is not set, or empty"},
		{"no URL", "", []string{"notifly", "--secret", "x"}, false, "--to is required"},
		{"no such event", "", []string{"notifly", "nothing", "--to", gatewayURL, "--secret", "x"}, false, "use one of attachment.created"},
		{"no sample", "", []string{"striped", "--config", config, "--to", gatewayURL, "--secret", "x"}, false, "give a payload of your own with --body"},
		{"a bad header", "", []string{"notifly", "--to", gatewayURL, "--secret", "x", "-H", "nothing"}, false, "-H needs a colon"},
		{"nobody there", "", []string{"notifly", "--to", "http://127.0.0.1:1/?token=t0k3n", "--secret", "x"}, false, "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, errs, ok := run(t, c.stdin, append([]string{"send"}, c.args...)...)
			if ok != c.ok || !strings.Contains(out+errs, c.want) || strings.Contains(out+errs, "t0k3n") {
				t.Errorf("%v %s%s", ok, out, errs)
			}
		})
	}
	app.want(t, 7)
}

func TestExplain(t *testing.T) {
	secret := secretIn(t, "SECRET")
	body := payload(t, "notifly", "message.updated")
	file := filepath.Join(t.TempDir(), "body.json")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	signed := "X-Notifly-Signature: " + hexMAC(secret, body)
	for _, c := range []struct {
		name  string
		stdin string
		args  []string
		ok    bool
		want  string
	}{
		{"unproved", "", []string{"notifly", "--body", file}, true, `"type": "message.updated"`},
		{"it says so", "", []string{"notifly", "--body", file}, true, "Credentials are not checked; to check them, pass --secret, --public-key, --token or --basic-auth, or --request with --config."},
		{"proved", "", []string{"notifly", "--body", file, "--secret", "{env.SECRET}", "-H", signed}, true, `"subject": "conversations/xgQQXg3hrtjh7AvZ"`},
		{"missing", "", []string{"notifly", "--body", file, "--secret", "{env.SECRET}"}, false, "refused with 401: missing_credential"},
		{"wrong", "", []string{"notifly", "--body", file, "--secret", "other", "-H", signed}, false, "refused with 401: bad_credential"},
		{"original", "", []string{"notifly", "--body", file, "--format", "original"}, true, `"conversation_id": "xgQQXg3hrtjh7AvZ"`},
		{"source", "", []string{"notifly", "--body", file, "--source", "/elsewhere"}, true, `"source": "/elsewhere"`},
		{"malformed", "{", []string{"notifly", "--body", "-"}, false, "refused with 400: malformed"},
		{"handshake", "{}", []string{"wotnot", "--body", "-", "--token", "{env.SECRET}", "--query", "token=" + secret}, true, "A handshake: the gateway answers 200"},
		{"a query with a space", "", []string{"notifly", "--body", file, "--query", "a b"}, true, `"source": "/webhooks/notifly"`},
		{"a batch", string(batch("1:a", "2:b")), []string{"wotnot", "--body", "-"}, true, `"subject": "conversations/2"`},
		{"no body", "", []string{"notifly"}, false, "use either --request"},
		{"no such file", "", []string{"notifly", "--body", "/nowhere"}, false, "no such file"},
		{"the wrong credential", "", []string{"notifly", "--body", file, "--token", "x"}, false, "use `secret` instead of `token`"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, errs, ok := run(t, c.stdin, append([]string{"explain"}, c.args...)...)
			if ok != c.ok || !strings.Contains(out+errs, c.want) {
				t.Errorf("%v %s%s", ok, out, errs)
			}
		})
	}
}
