// Package journal is what happened at a gateway, for the admin API, the commands and the
// console: which events came in, what became of them, what was refused, and how blocks
// and destinations are doing.
//
// What the queue stores is read from there. The rest is in a Memory, which is bounded:
// refusals, the events of direct delivery, and the rates of the last hour. Lists merge
// the two in order of time.
//
// Nothing here holds a credential, or what a provider's file redacts.
package journal

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// ErrNoQueue is the error of what needs a queue if the configuration has none.
var ErrNoQueue = errors.New("there is no queue: no block of the configuration has a `destination`")

// ErrCursor is the error of a cursor that did not come from an earlier page.
var ErrCursor = errors.New("not a cursor; use `next` of the page before, or leave it out")

// Journal is what a running configuration knows. It is made for one use, or for many.
type Journal struct {
	queue  *queue.Queue // nil if there is none
	memory *Memory
	blocks []BlockConfig
}

// New returns a journal. queue is nil if the configuration has none.
func New(queue *queue.Queue, memory *Memory, blocks []BlockConfig) *Journal {
	return &Journal{queue, memory, blocks}
}

// Memory is the part of the journal that is not on disk. It outlives reloads.
type Memory struct{}

// BlockConfig is what the configuration says about a `webhooks` block.
type BlockConfig struct {
	Provider     string   // its name
	Source       string   // which names the block
	Note         string   // what to enter at the provider
	Destinations []string // empty for direct delivery
}

// Page selects a part of a list.
type Page struct {
	Cursor string // `next` of the page before; empty for the first page
	Limit  int    // the maximum number of entries
}

// Event is an event, and what became of it.
type Event struct {
	queue.Summary

	// Direct is the answer to an event that went to the next handler. It is nil for an
	// event in the queue.
	Direct *Direct `json:"direct,omitempty"`
}

// Direct is what became of an event that went to the next handler.
type Direct struct {
	Outcome string  `json:"outcome"`          // accepted or upstream
	Status  int     `json:"status,omitempty"` // of the application's answer, 0 for none
	TookMS  float64 `json:"took_ms"`          // milliseconds until the answer
}

// Events is a page of events, the latest first.
type Events struct {
	Events []Event `json:"events"`
	Next   string  `json:"next,omitempty"` // the cursor of the page that follows, if there may be one

	// SearchedTo is set if a search for a text ended early: it is when the last event
	// came in that was looked at. Next goes on from there.
	SearchedTo time.Time `json:"searched_to,omitzero"`
}

// History is all that is known about one event.
type History struct {
	Event

	Request  *Request        `json:"request,omitempty"`  // that brought it, without credentials
	Envelope json.RawMessage `json:"envelope,omitempty"` // as destinations get it
	Original json.RawMessage `json:"original,omitempty"` // the provider's own: JSON, or a string if it is not JSON

	// EnvelopeBytes and OriginalBytes are the same, byte for byte.
	EnvelopeBytes []byte `json:"-"`
	OriginalBytes []byte `json:"-"`
}

// Request is an HTTP request, without its body and without credentials.
type Request struct {
	Method     string      `json:"method"`
	URI        string      `json:"uri"`
	Host       string      `json:"host"`
	RemoteAddr string      `json:"remote"`
	Header     http.Header `json:"header"`
}

// RefusalFilter selects refusals; empty fields select all.
type RefusalFilter struct {
	Provider string
	Reason   string
}

// Refusal is a request that was not accepted.
type Refusal struct {
	Time     time.Time `json:"time"`
	Provider string    `json:"provider"`
	Source   string    `json:"source"`
	Reason   string    `json:"reason"` // the code in log and metrics
	Status   int       `json:"status"`
	Cause    string    `json:"cause,omitempty"` // the reason in words
	ClientIP string    `json:"client_ip"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Size     int64     `json:"size"`    // of the body, as far as it was read
	Headers  []string  `json:"headers"` // the names of those that were there, sorted
}

// Refusals is a page of refusals, the latest first.
type Refusals struct {
	Refusals []Refusal `json:"refusals"`
	Next     string    `json:"next,omitempty"`
}

// Block is a `webhooks` block, and what it did last. Times are zero if that is not
// known: since the process started, for a block without a queue.
type Block struct {
	Provider     string   `json:"provider"`
	Source       string   `json:"source"`
	Destinations []string `json:"destinations"` // empty for direct delivery

	LastAccepted      time.Time `json:"last_accepted,omitzero"`
	LastRefused       time.Time `json:"last_refused,omitzero"`
	LastRefusedReason string    `json:"last_refused_reason,omitempty"`

	// LastSecret is the position, from 1, of the secret or token that the last proof was
	// made with; 0 if the block has neither.
	LastSecret int `json:"last_secret,omitempty"`

	AcceptedPerMinute float64 `json:"accepted_per_minute"` // in the last minute
	RefusedPerMinute  float64 `json:"refused_per_minute"`  // in the last minute

	// Note is what to enter at the provider.
	Note string `json:"note,omitempty"`

	// Hour has the numbers of each of the last 60 minutes, the oldest first.
	Hour []Minute `json:"-"`
}

// Minute counts what happened within one minute.
type Minute struct {
	Begin time.Time
	OK    int64 // accepted events, or delivered ones
	Bad   int64 // refused requests, or failed attempts
}

// Blocks are all blocks, sorted by source.
type Blocks struct {
	Blocks []Block `json:"blocks"`
}

// Destination is the state of a destination.
type Destination struct {
	queue.DestinationStatus

	// The rates and durations of attempts of this gateway in the last minute.
	DeliveredPerSecond float64 `json:"delivered_per_second"`
	FailedPerSecond    float64 `json:"failed_per_second"`
	TookP50MS          float64 `json:"took_p50_ms"` // 0 for no attempts
	TookP99MS          float64 `json:"took_p99_ms"` // 0 for no attempts

	// Hour has the numbers of each of the last 60 minutes, the oldest first.
	Hour []Minute `json:"-"`
}

// Events returns a page of events, the latest first.
func (j *Journal) Events(ctx context.Context, s queue.Search, p Page) (Events, error) {
	return Events{}, ErrNoQueue
}

// Event returns all that is known about an event; queue.ErrUnknown if that is nothing.
func (j *Journal) Event(ctx context.Context, key envelope.Key) (*History, error) {
	return nil, ErrNoQueue
}

// Refusals returns a page of refusals, the latest first.
func (j *Journal) Refusals(f RefusalFilter, p Page) (Refusals, error) {
	return Refusals{}, nil
}

// Blocks returns all blocks of the configuration.
func (j *Journal) Blocks(ctx context.Context) (Blocks, error) { return Blocks{}, nil }

// Destinations returns all destinations, sorted by name; none without a queue.
func (j *Journal) Destinations(ctx context.Context) ([]Destination, error) { return nil, nil }

// Queue returns the queue, or ErrNoQueue. What changes something, dead letters and
// causes are its methods.
func (j *Journal) Queue() (*queue.Queue, error) {
	if j.queue == nil {
		return nil, ErrNoQueue
	}
	return j.queue, nil
}

// Line is one line of the live feed: exactly one of Event, Attempt and Refusal.
type Line struct {
	ID      string       `json:"-"` // for Follow, to go on after this line
	Event   *EventLine   `json:"event,omitempty"`
	Attempt *AttemptLine `json:"attempt,omitempty"`
	Refusal *Refusal     `json:"refusal,omitempty"`
}

// EventLine is an event that has come in.
type EventLine struct {
	ID           string    `json:"id"` // msg_…
	EventID      string    `json:"event_id"`
	Provider     string    `json:"provider"`
	Source       string    `json:"source"`
	Type         string    `json:"type"`
	Subject      string    `json:"subject,omitempty"`
	PartitionKey string    `json:"partitionkey,omitempty"`
	Received     time.Time `json:"received"`
	Outcome      string    `json:"outcome"` // accepted, unrouted, duplicate, upstream or queue_unavailable
}

// AttemptLine is an attempt that has ended.
type AttemptLine struct {
	ID           string    `json:"id"` // of the event, msg_…
	EventID      string    `json:"event_id"`
	Provider     string    `json:"provider"`
	Source       string    `json:"source"`
	Type         string    `json:"type"`
	Subject      string    `json:"subject,omitempty"`
	PartitionKey string    `json:"partitionkey,omitempty"`
	Destination  string    `json:"destination"`
	Time         time.Time `json:"time"` // when it ended
	queue.PastAttempt
	Next time.Time `json:"next,omitzero"` // when the next attempt is due
}

// Follow subscribes to the live feed of this gateway. Lines that the search does not
// select are left out; refusals are selected by provider, source and time only, and left
// out if the search says more. after is the ID of the last line that was read: the feed
// goes on after it, as far as memory goes. An empty one begins now.
func (j *Journal) Follow(s queue.Search, after string) (*Feed, error) { return nil, nil }

// Feed is a subscription to the live feed.
type Feed struct{}

// Next returns the lines that have come since, and the number of lines that were lost
// before them because the reader was too slow. It waits for the first one until ctx
// ends.
func (f *Feed) Next(ctx context.Context) (lines []Line, lost int64, err error) {
	return nil, 0, nil
}

// Close ends the subscription.
func (f *Feed) Close() {}
