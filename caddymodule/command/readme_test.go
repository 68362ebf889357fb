package command

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

// runElsewhere matches commands of the page whose output is not compared here: the
// demo's is in TestDemo, and the others need a gateway.
var runElsewhere = regexp.MustCompile(`^(demo|send|check|tail)\b`)

var (
	consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")
	shownTime    = regexp.MustCompile(`("recordedtime": "|received +|died +|the last |  \d+ +)\d{4}-\d\d-\d\dT[\d:.]+Z`)
	shortClock   = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d`)
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
			if regexp.MustCompile(`^(events?|refusals|blocks|destinations|dead|replay|pause|resume|forget)\b`).MatchString(command) {
				args = append(args, "--address", strings.TrimPrefix(api.URL, "http://"))
			}
			stdout, stderr, err := execute(t, "", args...)
			if shown := strings.Contains(block, "\nError: "); err != nil && !shown {
				t.Errorf("%s: %v", command, err)
			} else if err != nil {
				stderr += "Error: " + err.Error() + "\n"
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
	text = withoutTimes(text)
	if *update {
		if err := os.WriteFile("caddymodule/command/"+file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := withoutTimes(string(page)); text != want {
		t.Errorf("the page should be:\n%s", text)
	}
}

// withoutTimes replaces all times by the same.
func withoutTimes(text string) string {
	text = shownTime.ReplaceAllString(text, "${1}2026-11-20T12:00:00Z")
	return shortClock.ReplaceAllString(text, "12:00:00")
}
