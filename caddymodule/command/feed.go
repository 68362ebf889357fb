package command

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// message is a server-sent event.
type message struct {
	id, name string
	data     []byte
}

// maxMessageLine is the maximum length of a line of a feed, in bytes.
const maxMessageLine = 1 << 20

// readMessages calls each for each message until r ends.
func readMessages(r io.Reader, each func(m message) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxMessageLine)
	var m message
	for lines.Scan() {
		name, value, _ := bytes.Cut(lines.Bytes(), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "":
			if len(lines.Bytes()) > 0 || m.data == nil {
				continue // a comment, or nothing to end
			}
			if err := each(m); err != nil {
				return err
			}
			m = message{id: m.id}
		case "id":
			m.id = string(value)
		case "event":
			m.name = string(value)
		case "data":
			m.data = append(m.data, value...)
		}
	}
	return lines.Err()
}

// reconnectAfter is how long a feed waits before it connects again.
const reconnectAfter = 250 * time.Millisecond

// feed follows the live feed of a gateway.
type feed struct {
	c       adminClient
	query   url.Values
	purpose string // what the command does, printed once it is connected
	after   string // the id of the last message
}

// follow calls each for each message, and connects again after a broken connection,
// until ctx ends.
func (f *feed) follow(ctx context.Context, each func(m message) error) error {
	body, err := f.connect(ctx)
	if err == nil {
		fmt.Fprintf(f.c.notes, "%s. Ctrl-C ends it.\n", printable(f.purpose))
	}
	for err == nil {
		if err = f.read(ctx, body, each); err != nil {
			break
		}
		if ctx.Err() == nil {
			fmt.Fprintln(f.c.notes, "The connection is broken; connecting again.")
		}
		if body, err = f.reconnect(ctx); err == nil && ctx.Err() == nil {
			fmt.Fprintln(f.c.notes, "Connected again.")
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// read reads messages until the connection breaks. The error is that of each.
func (f *feed) read(ctx context.Context, body io.ReadCloser, each func(m message) error) (failed error) {
	defer body.Close()
	defer context.AfterFunc(ctx, func() { body.Close() })()
	_ = readMessages(body, func(m message) error {
		f.after = m.id
		failed = each(m)
		return failed
	})
	return failed
}

// reconnect connects again, until the gateway answers. An error that it answers is
// final.
func (f *feed) reconnect(ctx context.Context) (io.ReadCloser, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(reconnectAfter):
		}
		body, err := f.connect(ctx)
		var answered *answeredError
		if err == nil || errors.As(err, &answered) && answered.status < http.StatusInternalServerError {
			return body, err
		}
	}
}

// connect opens the feed. It returns when ctx ends, even if nothing answers.
func (f *feed) connect(ctx context.Context) (io.ReadCloser, error) {
	type answer struct {
		body io.ReadCloser
		err  error
	}
	answered := make(chan answer)
	go func() {
		body, err := f.open()
		select {
		case answered <- answer{body, err}:
		case <-ctx.Done():
			if err == nil {
				body.Close()
			}
		}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case a := <-answered:
		return a.body, a.err
	}
}

// open opens the feed.
func (f *feed) open() (io.ReadCloser, error) {
	header := http.Header{"Accept": {"text/event-stream"}}
	if f.after != "" {
		header.Set("Last-Event-ID", f.after)
	}
	response, err := caddycmd.AdminAPIRequest(f.c.address, http.MethodGet, withQuery("/webhooks/tail", f.query, nil), header, nil)
	if err != nil {
		return nil, askError(err, f.c.address)
	}
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		response.Body.Close()
		return nil, f.c.notAdmin()
	}
	return response.Body, nil
}
