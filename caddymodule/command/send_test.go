package command

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSendReceipt sends to a block with fixed answers.
func TestSendReceipt(t *testing.T) {
	for _, c := range []struct {
		outcome string
		status  int
		args    string
		out     string
		err     string
	}{
		{"accepted", 200, "notifly message.created --secret x", "200 OK\naccepted: message.created " + knownID + "\n", ""},
		{"accepted", 202, "notifly message.created --secret x", "202 Accepted\naccepted: message.created " + knownID + "\n", ""},
		{"duplicate", 200, "notifly group.created --secret x", "200 OK\nduplicate: group.created " + knownID + "\nThe gateway has this event already; to send another one, use --new-id.\n", ""},
		{"unrouted", 200, "notifly --secret x", "200 OK\nunrouted: attachment.created " + knownID + "\nIt is stored, but no destination takes it.\n", ""},
		{"accepted", 200, "wotnot --body batch.json --token x", "200 OK\naccepted: 3 events (note.created, wotnot.unknown), the first is " + knownID + "\n", ""},
		{"handshake", 200, "wotnot --body {} --token x", "200 OK\nhandshake: the gateway answered itself, and forwarded nothing\n", ""},
		{"", 200, "notifly --secret x", "200 OK\n", "200, but not from a webhooks block: check the path of --to"},
		{"", 401, "notifly --secret x", "401 Unauthorized\n", `not accepted; see "webhook refused" in Caddy's log, or "caddy webhooks refusals"`},
	} {
		var prefer string
		block := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			prefer = r.Header.Get("Prefer")
			if c.outcome != "" {
				w.Header().Set("Preference-Applied", prefer)
				w.Header().Set("Webhook-Outcome", c.outcome)
				w.Header().Set("Webhook-Id", knownID)
			}
			w.WriteHeader(c.status)
		}))
		dir := t.TempDir()
		for name, payload := range map[string]string{"batch.json": `{"events":[{"event":{"type":"note"}},{},{"event":{"type":"note"}}]}`, "{}": "{}"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(payload), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args := strings.Fields(strings.Replace(c.args, "--body ", "--body "+dir+"/", 1))
		out, _, err := execute(t, "", append([]string{"send", "--to", block.URL}, args...)...)
		block.Close()
		if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: %v", c.args, err)
		}
		if out != c.out || prefer != "webhook-receipt" {
			t.Errorf("%s: Prefer: %s\n%s\nwant\n%s", c.args, prefer, out, c.out)
		}
	}
}

// TestSendReceiptReadsURL shows a type that is in the URL, as the gateway reads it.
func TestSendReceiptReadsURL(t *testing.T) {
	block := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Preference-Applied", r.Header.Get("Prefer"))
		w.Header().Set("Webhook-Outcome", "accepted")
		w.Header().Set("Webhook-Id", knownID)
	}))
	defer block.Close()
	body := filepath.Join(t.TempDir(), "body.json")
	if err := os.WriteFile(body, []byte(`{"message_id":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, err := execute(t, "", "send", "trengo", "--to", block.URL+"/?event=NOTE", "--secret", "x", "--body", body)
	if want := "200 OK\naccepted: note.created " + knownID + "\n"; err != nil || out != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
}

func TestSendCACert(t *testing.T) {
	block := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Preference-Applied", "webhook-receipt")
		w.Header().Set("Webhook-Outcome", "accepted")
	}))
	defer block.Close()
	file := filepath.Join(t.TempDir(), "root.crt")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Certificate().Raw})
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := execute(t, "", "send", "notifly", "--secret", "x", "--to", block.URL, "--cacert", file); err != nil {
		t.Error(err)
	}
	_, _, err := execute(t, "", "send", "notifly", "--secret", "x", "--to", block.URL)
	if err == nil || !strings.HasSuffix(err.Error(), "; to trust another one, such as Caddy's own, set --cacert") {
		t.Error(err)
	}
}
