package caddymodule_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// followConsole opens a live feed, and returns its lines until it ends.
func followConsole(t testing.TB, address string) <-chan string {
	t.Helper()
	live := &http.Client{Transport: new(http.Transport)}
	t.Cleanup(live.CloseIdleConnections)
	response, err := live.Get(address) //nolint:bodyclose // closed when the feed ends
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s: %s", address, response.Status)
	}
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		defer response.Body.Close()
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	return lines
}

// waitLine waits for a line that contains a text.
func waitLine(t testing.TB, lines <-chan string, text string) {
	t.Helper()
	end := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatalf("the feed ended without %s", text)
			}
			if strings.Contains(line, text) {
				return
			}
		case <-end:
			t.Fatalf("the feed has no %s", text)
		}
	}
}

// waitEnd waits until a feed ends, and returns the lines before that.
func waitEnd(t testing.TB, lines <-chan string) (all []string) {
	t.Helper()
	end := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				return all
			}
			all = append(all, line)
		case <-end:
			t.Fatal("the feed goes on")
		}
	}
}

// TestConsoleFeed shows that the live feed says when to look, and that it holds up
// neither a reload nor a shutdown.
func TestConsoleFeed(t *testing.T) {
	g, secret, _ := consoleGateway(t)
	all, others := followConsole(t, consoleURL+"feed"), followConsole(t, consoleURL+"feed?type=conversation.*")
	waitLine(t, all, "retry: 1000")
	waitLine(t, others, "retry: 1000")
	sendNotifly(t, secret, "1")
	waitLine(t, all, `"events":1`)
	if a := visit(t, http.MethodHead, consoleURL+"feed"); a.status != 200 {
		t.Errorf("HEAD: %d", a.status)
	}
	if a := visit(t, http.MethodGet, consoleURL+"feed?since=yesterday"); a.status != 400 {
		t.Errorf("a filter that cannot be understood: %d", a.status)
	}

	begun := time.Now()
	g.load("again") // returns when the listeners of before are closed
	waitEnd(t, all)
	for _, line := range waitEnd(t, others) {
		if strings.HasPrefix(line, "data:") {
			t.Errorf("the other feed has %s", line)
		}
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the reload took %s", took)
	}

	again := followConsole(t, consoleURL+"feed")
	waitLine(t, again, "retry: 1000")
	sendNotifly(t, secret, "2")
	waitLine(t, again, `"events":1`)
	begun = time.Now()
	loadNothing(t)
	waitEnd(t, again)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the shutdown took %s", took)
	}
}

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

// submit sends a form of the console.
func submit(t testing.TB, path, token, site string, fields url.Values) answer {
	t.Helper()
	fields.Set("token", token)
	r, err := http.NewRequest(http.MethodPost, consoleURL+path, strings.NewReader(fields.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", site)
	following := client.CheckRedirect
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer func() { client.CheckRedirect = following }()
	return do(t, r)
}

// TestConsoleChanges shows that forms of the console change the gateway, that others do
// not, that a form survives a reload, and that the log names who changed what.
func TestConsoleChanges(t *testing.T) {
	g, secret, isUp := consoleGateway(t)
	sendNotifly(t, secret, "1")
	waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 1 })
	match := tokenField.FindStringSubmatch(visit(t, http.MethodGet, consoleURL).body)
	if match == nil {
		t.Fatal("no form")
	}
	token := match[1]
	g.load("again")

	crm := url.Values{"destination": {"crm"}}
	for name, a := range map[string]answer{
		"without a token":   submit(t, "pause", "", "same-origin", crm),
		"from another site": submit(t, "pause", token, "cross-site", crm),
		"of a stranger":     submit(t, "pause", strings.Repeat("A", 43), "same-origin", crm),
	} {
		if a.status != 403 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if strings.Contains(visit(t, http.MethodGet, consoleURL).body, "Resume") {
		t.Fatal("a forged form has paused crm")
	}
	if a := submit(t, "pause", token, "same-origin", crm); a.status != 303 || a.header.Get("Location") != "./" {
		t.Errorf("pause: %d to %s", a.status, a.header.Get("Location"))
	}
	if body := visit(t, http.MethodGet, consoleURL).body; !strings.Contains(body, "crm is paused") || !strings.Contains(body, "Resume") {
		t.Errorf("crm is not paused:\n%s", body)
	}
	submit(t, "resume", token, "same-origin", crm)
	isUp.Store(true)
	event := url.Values{"event": {keyOf("1")}, "destination": {"crm"}}
	if a := submit(t, "replay", token, "same-origin", event); a.status != 303 {
		t.Errorf("replay: %d", a.status)
	}
	waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 0 })
	if a := submit(t, "pause", token, "same-origin", url.Values{"destination": {"nobody"}}); a.status != 404 {
		t.Errorf("pause of an unknown destination: %d", a.status)
	}
	for _, action := range []string{"pause", "resume", "replay"} {
		if n := len(g.logLines(`"logger":"http.handlers.webhooks_console"`, fmt.Sprintf(`"user":"ana","action":%q,"destination":"crm","count":1`, action))); n != 1 {
			t.Errorf("%d lines about %s", n, action)
		}
	}
}
