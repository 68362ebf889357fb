// Package journal reports what happened at a gateway, for the admin API, the commands and
// the console: the events, their deliveries, the refusals, and the state of blocks and
// destinations.
//
// Stored events are read from the queue. A Memory, which is bounded, holds the rest:
// refusals, the events of direct delivery, and the rates of the last hour. Lists merge
// both in order of time.
//
// Nothing here holds a credential, or a value that a provider's file redacts.
package journal

import (
	"errors"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// ErrNoQueue is the error of what needs a queue if the configuration has none.
var ErrNoQueue = errors.New("there is no queue: no block of the configuration has a `destination`")

// Journal is the journal of a running configuration. It is cheap to make.
type Journal struct {
	queue  *queue.Queue // nil if there is none
	stored stored       // the queue, nil if there is none
	memory *Memory
	blocks []BlockConfig
}

// New returns a journal. queue is nil if the configuration has none.
func New(queue *queue.Queue, memory *Memory, blocks []BlockConfig) *Journal {
	j := &Journal{queue: queue, memory: memory, blocks: blocks}
	if queue != nil {
		j.stored = queue
	}
	return j
}

// Queue returns the queue, or ErrNoQueue. What changes something, dead letters and
// causes are its methods.
func (j *Journal) Queue() (*queue.Queue, error) {
	if j.queue == nil {
		return nil, ErrNoQueue
	}
	return j.queue, nil
}

// Since returns since when what is not in the queue is remembered.
func (j *Journal) Since() time.Time { return j.memory.began }

// Page selects a part of a list.
type Page struct {
	Cursor string // `next` of the page before; empty for the first page
	Limit  int    // the maximum number of entries
}
