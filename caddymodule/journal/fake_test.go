package journal

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// clock is a clock that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newTestMemory() (*Memory, *clock) {
	c := &clock{noon}
	return NewMemory(c.now), c
}

// fakeQueue holds events, the latest first. It is a stand-in for searches that end early,
// which a real queue does only with millions of events.
type fakeQueue struct {
	events []queue.Summary
	few    int // the number of events that it looks at in a search; 0 for all
	err    error

	more []*fakeQueue // the logs from 1 on
}

func (q *fakeQueue) add(seq int64, received time.Time) {
	q.events = slices.Insert(q.events, 0, queue.Summary{Seq: seq, ID: fmt.Sprint("stored ", seq), Received: received})
}

func (q *fakeQueue) LogNumbers() []int {
	numbers := []int{0}
	for i := range q.more {
		numbers = append(numbers, i+1)
	}
	return numbers
}

func (q *fakeQueue) Search(ctx context.Context, log int, s queue.Search, before int64, limit int) (found queue.Found, err error) {
	if log > 0 {
		return q.more[log-1].Search(ctx, 0, s, before, limit)
	}
	if q.err != nil {
		return found, q.err
	}
	looked := 0
	for _, e := range q.events {
		if before != 0 && e.Seq >= before {
			continue
		}
		if len(found.Events) == limit || q.few > 0 && looked == q.few {
			if found.Before = before; len(found.Events) > 0 || looked > 0 {
				found.Before = e.Seq + 1
			}
			if q.few > 0 && len(found.Events) < limit {
				found.SearchedTo = e.Received
			}
			return found, nil
		}
		looked++
		if s.Text == "" { // no event has a text
			found.Events = append(found.Events, e)
		}
	}
	return found, nil
}

func (q *fakeQueue) History(_ context.Context, key envelope.Key) (*queue.History, error) {
	if q.err != nil {
		return nil, q.err
	}
	for _, e := range q.events {
		if e.ID == key.String() {
			return &queue.History{Summary: e, Event: &queue.Event{Key: key, Body: []byte(`{"data":{"original":{}}}`), Original: 2}}, nil
		}
	}
	return nil, queue.ErrUnknown
}

// direct returns an event of direct delivery, with an id as its identity.
func direct(source, id string, received time.Time, body string) *DirectEvent {
	e := &envelope.Event{ID: id, Type: "message.created", Subject: "conversations/" + id, PartitionKey: id}
	r := &http.Request{Method: "POST", Host: "hooks.example.com", RemoteAddr: "192.0.2.1:99", Header: http.Header{
		"Content-Type": {"application/json"}, "X-Two": {"a", "b"},
	}}
	d := NewDirectEvent(envelope.NewKey(source, id), e, received, r, "/in?a=b")
	d.Body, d.IsAccepted, d.Status, d.Took = []byte(body), true, 200, 1500*time.Microsecond
	return &d
}
