package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

const (
	// feedPause is the shortest time between two messages of a live feed.
	feedPause = 250 * time.Millisecond

	// feedBeat is after how long without news a message shows that the feed is alive.
	feedBeat = 15 * time.Second

	// feedWrite is how long a browser may take to read a message.
	feedWrite = 10 * time.Second
)

// news counts what has happened since the message before. It holds nothing of events:
// the page fetches what it shows.
type news struct {
	Events   int   `json:"events"`
	Attempts int   `json:"attempts"`
	Refusals int   `json:"refusals"`
	Lost     int64 `json:"lost"`
}

// feed streams news as server-sent events, until the browser goes away or the
// configuration is unloaded. The browser then comes back to the new one.
func (v *visit) feed() error {
	search, err := journal.ParseFilter(v.r.URL.Query().Get, v.now())
	if err != nil {
		return newFailure(http.StatusBadRequest, "Not a filter", err.Error())
	}
	// What came of an event can change which of these select it: the page looks.
	search.Destination, search.State, search.Until, search.Text = "", "", time.Time{}, ""
	feed, err := v.journal.Follow(search, "")
	if errors.Is(err, journal.ErrTooManyFollowers) || errors.Is(err, journal.ErrFeedEnded) {
		return newFailure(http.StatusServiceUnavailable, "Not live", "Too many live views are open, or the gateway shuts down. Reload the page to see new events.")
	}
	if err != nil {
		return v.failureOf(v.r.Context(), err)
	}
	defer feed.Close()
	ctx, cancel := context.WithCancel(v.r.Context())
	defer cancel()
	go func() { // ends with ctx
		select {
		case <-v.ending:
			cancel()
		case <-ctx.Done():
		}
	}()
	v.stream(ctx, feed)
	return nil
}

// stream sends messages until ctx ends.
func (v *visit) stream(ctx context.Context, feed *journal.Feed) {
	out := http.NewResponseController(v.w)
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	v.w.WriteHeader(http.StatusOK)
	send := func(message string) error {
		_ = out.SetWriteDeadline(time.Now().Add(feedWrite)) // not every writer has one
		if _, err := v.w.Write([]byte(message)); err != nil {
			return err
		}
		return out.Flush()
	}
	defer func() { _ = out.SetWriteDeadline(time.Time{}) }() // the connection may go on
	if v.r.Method == http.MethodHead {
		return
	}
	if send("retry: 1000\n\n") != nil {
		return
	}
	for ctx.Err() == nil {
		waiting, cancel := context.WithTimeout(ctx, feedBeat)
		lines, lost, err := feed.Next(waiting)
		isBeat := err != nil && waiting.Err() != nil && ctx.Err() == nil
		cancel()
		message := ":\n\n"
		switch {
		case isBeat:
		case err != nil:
			return
		default:
			message = count(lines, lost).message()
		}
		if send(message) != nil {
			return
		}
		select {
		case <-time.After(feedPause):
		case <-ctx.Done():
		}
	}
}

func count(lines []journal.Line, lost int64) news {
	n := news{Lost: lost}
	for _, line := range lines {
		switch {
		case line.Event != nil:
			n.Events++
		case line.Attempt != nil:
			n.Attempts++
		case line.Refusal != nil:
			n.Refusals++
		}
	}
	return n
}

func (n news) message() string {
	encoded, _ := json.Marshal(n) // numbers only
	return fmt.Sprintf("event: news\ndata: %s\n\n", encoded)
}
