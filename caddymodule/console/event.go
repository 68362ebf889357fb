package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

const (
	// eventRefresh is after how many seconds the page of an event that is not delivered
	// yet looks again.
	eventRefresh = 2

	// neighbours is how many events of the same partition key are shown before and after
	// one.
	neighbours = 5

	// maxAttempts is how many attempts of a delivery are shown.
	maxAttempts = 100
)

// eventPage is what the page of one event shows.
type eventPage struct {
	*journal.History
	Deliveries []shownDelivery
	Bodies     []shownBody
	Headers    []header

	After, Before []journal.Event // of the same partition key, the latest first
	MoreAfter     bool            // there are others between this one and After
	AllOfKey      string          // the link to all of them
}

type shownDelivery struct {
	queue.DeliveryStatus
	Shown      state
	Due        string   // until the next attempt
	Hidden     int      // attempts that are not shown
	Trouble    sentence // what is wrong with the destination, while the event waits for it
	CanReplay  bool
	CanDiscard bool
}

type header struct{ Name, Value string }

// key returns the event that the address names.
func (v *visit) key() (envelope.Key, error) {
	key, err := envelope.ParseKey(v.arg)
	if err != nil {
		return key, newFailure(http.StatusNotFound, "Not an event", "An event has a name such as msg_, followed by 32 letters and digits.")
	}
	return key, nil
}

// event shows one event.
func (v *visit) event(ctx context.Context) (page, error) {
	key, err := v.key()
	if err != nil {
		return page{}, err
	}
	history, err := v.journal.Event(ctx, key)
	if err != nil {
		return page{}, err
	}
	e := eventPage{History: history}
	p := page{name: "event", Title: clip(history.Type, 60) + " " + clip(history.Summary.EventID, 60), Data: &e}
	for _, d := range history.Destinations {
		e.Deliveries = append(e.Deliveries, showDelivery(d, v.now()))
		if e.Deliveries[len(e.Deliveries)-1].isOpen() {
			p.Refresh = eventRefresh
		}
	}
	if len(history.EnvelopeBytes) > 0 {
		e.Bodies = append(e.Bodies, newShownBody("envelope", history.EnvelopeBytes))
	}
	if len(history.OriginalBytes) > 0 {
		e.Bodies = append(e.Bodies, newShownBody("original", history.OriginalBytes))
	}
	if history.Request != nil {
		for name, values := range history.Request.Header {
			for _, value := range values {
				e.Headers = append(e.Headers, header{name, value})
			}
		}
		slices.SortStableFunc(e.Headers, func(a, b header) int {
			switch {
			case a.Name < b.Name:
				return -1
			case a.Name > b.Name:
				return 1
			}
			return 0
		})
	}
	if p.Refresh > 0 {
		e.addTrouble(ctx, v.journal, v.now())
	}
	e.addNeighbours(ctx, v.journal)
	return p, nil
}

func showDelivery(d queue.DeliveryStatus, now time.Time) shownDelivery {
	shown := shownDelivery{DeliveryStatus: d, Shown: deliveryState(d.State)}
	switch d.State {
	case queue.StateDead:
		shown.CanReplay, shown.CanDiscard = true, true
	case queue.StateDelivered, queue.StateDiscarded, queue.StateRetrying:
		shown.CanReplay = true
	}
	if !d.Next.IsZero() {
		shown.Due = "now"
		if d.Next.After(now) {
			shown.Due = "in " + span(d.Next.Sub(now))
		}
	}
	if n := len(d.Attempts) - maxAttempts; n > 0 {
		shown.Hidden, shown.Attempts = n, d.Attempts[n:]
	}
	return shown
}

// addTrouble says why an event waits at a destination. Without it, the page is still of
// use.
func (e *eventPage) addTrouble(ctx context.Context, j reader, now time.Time) {
	all, err := j.Destinations(ctx)
	if err != nil {
		return
	}
	for i := range e.Deliveries {
		shown := &e.Deliveries[i]
		for _, d := range all {
			if found := destinationState(d, now); d.DestinationStatus.Destination == shown.Destination && shown.isOpen() && found.level != levelGood {
				shown.Trouble = found.sentence(d, now)
			}
		}
	}
}

// isOpen reports whether the event is still to be delivered.
func (d *shownDelivery) isOpen() bool {
	return d.State == queue.StateWaiting || d.State == queue.StateRetrying || d.State == queue.StateParked
}

// addNeighbours adds events of the same partition key. Without them, the page is still
// of use.
func (e *eventPage) addNeighbours(ctx context.Context, j reader) {
	if e.PartitionKey == "" {
		return
	}
	e.AllOfKey = "events" + encoded(url.Values{"partitionkey": {e.PartitionKey}, "source": {e.Source}})
	same := queue.Search{PartitionKey: e.PartitionKey, Source: e.Source}
	isThis := func(other journal.Event) bool { return other.Summary.ID == e.Summary.ID }

	older := same
	older.Until = e.Received.Add(time.Microsecond)
	if found, err := j.Events(ctx, older, journal.Page{Limit: neighbours + 1}); err == nil {
		e.Before = slices.DeleteFunc(found.Events, isThis)
		e.Before = e.Before[:min(len(e.Before), neighbours)]
	}
	newer := same
	newer.Since = e.Received.Add(time.Microsecond)
	if found, err := j.Events(ctx, newer, journal.Page{Limit: 20 * neighbours}); err == nil {
		e.After = slices.DeleteFunc(found.Events, isThis)
		e.After = e.After[max(0, len(e.After)-neighbours):]
		e.MoreAfter = found.Next != ""
	}
}

// body serves the bytes of an envelope or original, as a file.
func (v *visit) body() error {
	key, err := v.key()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), v.patience)
	defer cancel()
	history, err := v.journal.Event(ctx, key)
	if err != nil {
		return v.failureOf(ctx, err)
	}
	content := history.EnvelopeBytes
	if v.part == "original" {
		content = history.OriginalBytes
	}
	if len(content) == 0 {
		return newFailure(http.StatusNotFound, "Not kept", "The bytes of this event are not kept.")
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+key.String()+"-"+v.part+`.txt"`)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	v.w.WriteHeader(http.StatusOK)
	_, _ = v.w.Write(content) // fails for a client that is gone
	return nil
}
