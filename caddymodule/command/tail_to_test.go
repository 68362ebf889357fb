package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// testKey is a signing key.
const testKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// feedOf is an API with these lines in its feed, and the events in them. When it is
// asked for more, it ends the command.
type feedOf struct {
	lines    []journal.Line
	original bool // the events have no envelopes
	cancel   context.CancelFunc
	asked    int
}

func (f *feedOf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, id, isEvent := strings.Cut(r.URL.Path, "/events/")
	id, form, _ := strings.Cut(id, "/")
	switch {
	case !isEvent && path == "/webhooks/tail":
		w.Header().Set("Content-Type", "text/event-stream")
		if f.asked++; f.asked > 1 {
			f.cancel()
			return
		}
		for i, line := range f.lines {
			sse(w, fmt.Sprint(i), "event", line)
		}
	case id == "msg_gone":
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"no event msg_gone"}`)
	case form == "":
		history := journal.History{
			Event:   journal.Event{Summary: queue.Summary{ID: id}},
			Request: &journal.Request{Method: "POST", Header: http.Header{"Content-Type": {"text/x"}, "Ce-Id": {"1"}, "X-Tenant": {"7"}, "Accept-Encoding": {"br"}, "Webhook-Signature": {"v1,forged"}}},
		}
		if !f.original {
			history.Envelope = json.RawMessage(`{}`)
		}
		_ = json.NewEncoder(w).Encode(history)
	case form == "envelope" && !f.original, form == "original" && f.original:
		fmt.Fprintf(w, `{ "id": "%s" }`, id)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// TestTailTo hands events on to an application: in order, each once, no duplicates, and
// whatever it answers.
func TestTailTo(t *testing.T) {
	feed := &feedOf{lines: []journal.Line{
		eventLine("msg_a", "accepted"), eventLine("msg_b", "unrouted"), eventLine("msg_a", "duplicate"), eventLine("msg_gone", "accepted"),
		{Attempt: &journal.AttemptLine{ID: "msg_x"}}, {Refusal: &journal.Refusal{}},
		eventLine("msg_b", "accepted"), eventLine("msg_c", "upstream"), eventLine("msg_slow", "accepted"), eventLine("msg_d", "accepted"),
		eventLine("msg_full", "queue_unavailable"), eventLine("msg_gone", "accepted"), eventLine("msg_full", "accepted"),
	}}
	var mu sync.Mutex // a request that has taken too long may still be under way
	var got []string
	receiver, err := standardwebhooks.NewWebhook(testKey)
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		header := r.Header
		if err := receiver.Verify(body, header); err != nil {
			t.Error(err)
		}
		mu.Lock()
		got = append(got, fmt.Sprintf("%s %s %s", r.Method, r.RequestURI, body))
		mu.Unlock()
		if header.Get("content-type") != "application/cloudevents+json; charset=utf-8" || header.Get("x-tenant") != "7" || header.Get("ce-id") != "" || header.Get("accept-encoding") == "br" || header.Get("webhook-attempt") != "1" || header.Get("webhook-id") == "" {
			t.Errorf("%v", header)
		}
		switch header.Get("webhook-id") {
		case "msg_b":
			w.WriteHeader(500)
			fmt.Fprint(w, "boom\x1b")
		case "msg_c":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "msg_slow":
			<-end
		}
	}))
	defer application.Close()
	defer close(end)
	ctx, cancel := context.WithCancel(t.Context())
	feed.cancel = cancel
	outcome := runOn(t, ctx, feed, screen{}, "", tailCommand(), runTail, "--to", application.URL+"/in?a=b", "--sign", testKey, "--timeout", "2s")
	want := []string{}
	for _, id := range []string{"msg_a", "msg_b", "msg_c", "msg_slow", "msg_d", "msg_full"} {
		want = append(want, `POST /in?a=b { "id": "`+id+`" }`)
	}
	mu.Lock()
	defer mu.Unlock()
	if outcome.err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v: got %q", outcome.err, got)
	}
	out := strings.ReplaceAll(outcome.out, now.Local().Format(time.TimeOnly), "12:00:00")
	lines := strings.Split(strings.TrimSpace(tookTimes.ReplaceAllString(out, "in TIME")), "\n")
	for i, line := range []string{
		"msg_a 200 in TIME message.created notifly",
		`msg_b 500 in TIME message.created notifly boom\u001b`,
		"msg_gone not handed on: no event msg_gone message.created notifly",
		"msg_c 302 in TIME message.created notifly",
		"msg_slow no answer in TIME",
		"msg_d 200 in TIME message.created notifly",
		"msg_gone not handed on: no event msg_gone message.created notifly", // it came again
		"msg_full 200 in TIME message.created notifly",
	} {
		if i >= len(lines) || !strings.HasPrefix(strings.Join(strings.Fields(lines[i]), " "), "12:00:00 handed "+line) {
			t.Errorf("line %d of\n%s\nwant %s", i, outcome.out, line)
		}
	}
}

// Without --sign there is no signature, and a dead application does not end the command.
func TestTailToUnsigned(t *testing.T) {
	var header http.Header
	application := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { header = r.Header }))
	run := func() result {
		ctx, cancel := context.WithCancel(t.Context())
		feed := &feedOf{lines: []journal.Line{eventLine("msg_a", "accepted"), eventLine("msg_b", "accepted")}, original: true, cancel: cancel}
		return runOn(t, ctx, feed, screen{}, "", tailCommand(), runTail, "--to", application.URL, "--json")
	}
	got := run()
	if header.Get("webhook-signature") != "" || header.Get("webhook-id") != "msg_b" || header.Get("content-type") != "text/x" {
		t.Errorf("%v", header)
	}
	application.Close()
	for out, want := range map[string]string{got.out: `"status":200`, run().out: `connection refused"`} {
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if len(lines) != 2 {
			t.Fatalf("%s", out)
		}
		for _, line := range lines {
			if !json.Valid([]byte(line)) || !strings.Contains(line, want) {
				t.Errorf("%s; want %s", line, want)
			}
		}
	}
}
