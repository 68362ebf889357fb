package caddymodule_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

// message is a server-sent event, as a browser reads it.
type message struct {
	name, id, data string
}

// follower reads the live feed of a gateway.
type follower struct {
	t        testing.TB
	header   http.Header
	messages chan message
	ended    chan struct{} // closed with the response
	leave    context.CancelFunc
	lastID   string // as a browser keeps it
}

// followClient makes a connection for each follower, as long as the feed lasts.
var followClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// follow subscribes to the live feed of the gateway in this process.
func follow(t testing.TB, query string, headers ...string) *follower {
	t.Helper()
	return followAt(t, "http://"+adminAddress+"/webhooks/tail"+query, headers...)
}

// followAt subscribes to a live feed, and returns when the subscription holds.
func followAt(t testing.TB, url string, headers ...string) *follower {
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	t.Cleanup(leave)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	f := &follower{t: t, messages: make(chan message, 100_000), ended: make(chan struct{}), leave: leave}
	begun := make(chan error)
	go func() {
		defer close(f.ended)
		f.read(r, begun)
	}()
	if err := receive(t, begun); err != nil {
		t.Fatal(err)
	}
	return f
}

// read makes the request, and reads the messages of the answer. It returns in begun
// whether the subscription holds.
func (f *follower) read(r *http.Request, begun chan<- error) {
	response, err := followClient.Do(r)
	if err != nil {
		begun <- err
		return
	}
	defer response.Body.Close()
	f.header = response.Header
	if got := f.header.Get("Content-Type"); response.StatusCode != 200 || got != "text/event-stream" {
		body, _ := io.ReadAll(response.Body)
		begun <- fmt.Errorf("%s: %d %s %s", r.URL, response.StatusCode, got, body)
		return
	}
	begun <- nil
	readMessages(response.Body, f.messages)
}

// readMessages parses server-sent events whose lines end in LF.
func readMessages(r io.Reader, to chan<- message) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	var m message
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "":
			if lines.Text() == "" && m.data != "" {
				to <- m
				m = message{id: m.id}
			}
		case "event":
			m.name = value
		case "id":
			m.id = value
		case "data":
			m.data += value
		}
	}
}

// next returns the next message.
func (f *follower) next() message {
	f.t.Helper()
	select {
	case m := <-f.messages:
		noteText("live feed in "+f.t.Name(), m.data)
		f.lastID = m.id
		return m
	case <-time.After(20 * time.Second):
		f.t.Fatal("no message within 20 s")
		panic("unreachable")
	}
}

// nextLine returns the next message, which must be a line of the feed.
func (f *follower) nextLine() journal.Line {
	f.t.Helper()
	return f.line(f.next())
}

// line decodes the data of a message. Its only member has the name of the message.
func (f *follower) line(m message) journal.Line {
	f.t.Helper()
	var members map[string]json.RawMessage
	var line journal.Line
	if json.Unmarshal([]byte(m.data), &members) != nil || json.Unmarshal([]byte(m.data), &line) != nil ||
		len(members) != 1 || members[m.name] == nil || m.id == "" {
		f.t.Fatalf("not a line: %+v", m)
	}
	return line
}

// waitEnd waits until the response ends.
func (f *follower) waitEnd(atMost time.Duration) {
	f.t.Helper()
	select {
	case <-f.ended:
	case <-time.After(atMost):
		f.t.Errorf("the live feed goes on after %s", atMost)
	}
}
