package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

const (
	// keepAlive is the longest silence of GET /webhooks/tail: proxies and tunnels close
	// a connection that is silent for longer.
	keepAlive = 15 * time.Second

	// reconnectAfter is how long a browser waits before it connects again, in
	// milliseconds. A reload disconnects it.
	reconnectAfter = 1000

	// lastWrite is how long a write may take when the response has to end.
	lastWrite = time.Second
)

// tail serves the live feed as server-sent events.
type tail struct {
	keepAlive time.Duration
	closing   *closing
}

// ServeHTTP implements caddy.AdminHandler. It returns when the client goes, when the
// admin server is closed, and when the configuration stops.
func (t tail) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	if err := checkMethod(w, r, http.MethodGet); err != nil {
		return err
	}
	running := caddy.ActiveContext() // before the journal, which may be that of the next configuration
	if running.Context == nil {
		return toAPIError(webhooks.ErrNotRunning)
	}
	feed, err := follow(r)
	if err != nil {
		return toAPIError(err)
	}
	defer feed.Close()

	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(running, cancel)()
	defer context.AfterFunc(t.closing.of(r), cancel)()

	s := stream{w: w, controller: http.NewResponseController(w)}
	if err := s.begin(); err != nil || r.Method == http.MethodHead {
		return nil // a client that is gone gets no answer
	}
	// Ends a write for which the client makes no room.
	defer context.AfterFunc(ctx, func() { _ = s.controller.SetWriteDeadline(time.Now().Add(lastWrite)) })()
	_ = s.follow(ctx, feed, t.keepAlive) // it ends for one of the reasons above
	return nil
}

// follow subscribes to the lines that the request selects.
func follow(r *http.Request) (*journal.Feed, error) {
	j, err := webhooks.RunningJournal()
	if err != nil {
		return nil, err
	}
	search, query, err := readFilter(r, "after")
	if err != nil {
		return nil, err
	}
	if err = checkFilter(r.Context(), j, search); err != nil {
		return nil, err
	}
	// A browser that connects again sends the same URL with a later Last-Event-ID.
	return j.Follow(search, cmp.Or(r.Header.Get("Last-Event-ID"), query.Get("after")))
}

// stream writes server-sent events.
type stream struct {
	w          http.ResponseWriter
	controller *http.ResponseController
	buffer     bytes.Buffer
}

// begin lifts the time limit of the response, and writes its header.
func (s *stream) begin() error {
	if err := s.controller.SetWriteDeadline(time.Time{}); err != nil {
		return err
	}
	header := s.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would hold lines back
	header.Set("Connection", "close")     // its deadline is not for another request
	fmt.Fprintf(&s.buffer, "retry: %d\n\n", reconnectAfter)
	return s.flush()
}

// follow writes the lines of the feed until ctx ends.
func (s *stream) follow(ctx context.Context, feed *journal.Feed, keepAlive time.Duration) error {
	for {
		waiting, stop := context.WithTimeout(ctx, keepAlive)
		lines, lost, err := feed.Next(waiting)
		silent := err != nil && waiting.Err() != nil
		stop()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case silent:
			s.buffer.WriteString(":\n\n")
		case err != nil:
			return err
		}
		if lost > 0 {
			s.write(LostMessage, "", Lost{lost})
		}
		for _, line := range lines {
			s.write(nameOf(line), line.ID, line)
		}
		if err := s.flush(); err != nil {
			return err
		}
	}
}

// write adds a message to the buffer. JSON without indentation is one line.
func (s *stream) write(name, id string, data any) {
	fmt.Fprintf(&s.buffer, "event: %s\n", name)
	if id != "" {
		fmt.Fprintf(&s.buffer, "id: %s\n", id)
	}
	s.buffer.WriteString("data: ")
	encoder := json.NewEncoder(&s.buffer)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(data) // never fails for these types
	s.buffer.WriteString("\n")
}

// flush sends the buffer.
func (s *stream) flush() error {
	_, err := s.w.Write(s.buffer.Bytes())
	s.buffer.Reset()
	return errors.Join(err, s.controller.Flush())
}

// nameOf returns the name of the message for a line.
func nameOf(line journal.Line) string {
	switch {
	case line.Event != nil:
		return EventMessage
	case line.Attempt != nil:
		return AttemptMessage
	default:
		return RefusalMessage
	}
}
