package queue

import (
	"crypto/rand"
	"os"
	"strings"
	"sync/atomic"
)

// common is what the logs of one queue share at this gateway.
type common struct {
	holder string // the name of this gateway among those that share the queue
	wanted int    // the number of logs that it is configured with
	budget budget

	changed chan struct{} // holds one value: the layout may have changed

	layout atomic.Pointer[layout]      // by which this gateway stores events
	logs   atomic.Pointer[[]*eventLog] // all of the queue, by number: those of the layout, and those that are only to be emptied

	pools pools
	views logViews
}

func newCommon(wanted int) *common {
	c := &common{holder: newHolder(), wanted: wanted, changed: make(chan struct{}, 1)}
	c.layout.Store(&layout{logs: 1, total: 1})
	c.logs.Store(new([]*eventLog))
	return c
}

// logAt returns a log by its number, nil if the queue does not have it any more.
func (c *common) logAt(number int) *eventLog {
	logs := *c.logs.Load()
	if number >= len(logs) {
		return nil
	}
	return logs[number]
}

// parts returns into how many parts the attempts at a time, and the rate, of each
// destination are divided.
func (c *common) parts() int { return c.layout.Load().total }

// newHolder returns a name for this gateway: the host's name, for people, and random
// letters, because a host may run several.
func newHolder() string {
	host, _ := os.Hostname()
	return strings.ToValidUTF8(host, "") + "-" + strings.ToLower(rand.Text()[:8])
}
