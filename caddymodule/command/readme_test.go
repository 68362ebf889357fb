package command

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// runElsewhere matches commands of the page whose output is not compared here: the
// demo's is in TestDemo, and the others need a gateway.
var runElsewhere = regexp.MustCompile(`^(demo|send|check)\b`)

var (
	consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")
	shownTime    = regexp.MustCompile(`("recordedtime": "|received +|died +)\d{4}-\d\d-\d\dT[\d:.]+Z`)
)

// TestReadme runs the commands of README.md, and compares their output with the
// page, except for times.
func TestReadme(t *testing.T) {
	const file = "README.md"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(http.HandlerFunc(answerAsGateway))
	defer api.Close()
	n := 0
	t.Chdir("../..") // for the fixtures
	text := consoleBlock.ReplaceAllStringFunc(string(page), func(block string) string {
		var run strings.Builder
		for line := range strings.Lines(block) {
			command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ caddy webhooks ")
			if !ok {
				continue
			}
			if runElsewhere.MatchString(command) {
				return block
			}
			n++
			args := strings.Fields(command)
			if regexp.MustCompile(`^(destinations|dead|replay|pause|resume|forget)\b`).MatchString(command) {
				args = append(args, "--address", strings.TrimPrefix(api.URL, "http://"))
			}
			stdout, stderr, err := execute(t, "", args...)
			if err != nil {
				t.Errorf("%s: %v", command, err)
			}
			for line := range strings.Lines("$ caddy webhooks " + command + "\n" + stdout + stderr) {
				run.WriteString(strings.TrimRight(line, " \n") + "\n")
			}
		}
		return "```console\n" + strings.TrimRight(run.String(), "\n") + "\n```"
	})
	if n < 10 {
		t.Errorf("it runs %d commands", n)
	}
	text = shownTime.ReplaceAllString(text, "${1}2026-11-20T12:00:00Z")
	if *update {
		if err := os.WriteFile("caddymodule/command/"+file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := shownTime.ReplaceAllString(string(page), "${1}2026-11-20T12:00:00Z"); text != want {
		t.Errorf("the page should be:\n%s", text)
	}
}

// answerAsGateway answers as the admin API of a gateway with a dead letter does.
func answerAsGateway(w http.ResponseWriter, r *http.Request) {
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d - 30*time.Second) }
	letter := queue.DeadLetter{
		ID: "msg_qmg34d6hl7ceiilpask66mlmymhvjw2m", Destination: "archive", Provider: "notifly", EventID: "a056V7R7NmNRjl70",
		Type: "message.updated", Attempts: 24, LastStatus: http.StatusInternalServerError, LastError: "status 500",
		Excerpt: "disk full", Received: ago(50 * time.Hour), Died: ago(2 * time.Hour),
	}
	answers := map[string]any{
		"GET /webhooks/destinations": []queue.DestinationStatus{
			{Destination: "archive", Configured: true, Backlog: 12, OldestUndelivered: ago(5 * time.Minute), DeadLetters: 1, Down: true, Gateway: "gw1-6f1c", Here: true},
			{Destination: "crm", Configured: true, Gateway: "gw1-6f1c", Here: true},
		},
		"GET /webhooks/dead":                 []queue.DeadLetter{letter},
		"GET /webhooks/dead/" + letter.ID:    []admin.DeadLetter{{DeadLetter: letter, Body: json.RawMessage(`{"specversion":"1.0","id":"a056V7R7NmNRjl70","type":"message.updated"}`)}},
		"DELETE /webhooks/dead/" + letter.ID: admin.Discarded{Discarded: 1},
		"POST /webhooks/replay":              admin.Replayed{Replayed: 1},
		"POST /webhooks/pause/archive":       struct{}{},
		"POST /webhooks/resume/archive":      struct{}{},
		"POST /webhooks/forget/old-crm":      admin.Discarded{Discarded: 3},
	}
	_, _ = io.Copy(io.Discard, r.Body)
	answer, ok := answers[r.Method+" "+r.URL.Path]
	if !ok {
		http.Error(w, fmt.Sprintf(`{"error":"no answer to %s %s"}`, r.Method, r.URL.Path), http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}
