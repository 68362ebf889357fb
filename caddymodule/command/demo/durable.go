package demo

import (
	"fmt"
	"slices"
	"time"
)

// durablePath is the path whose events demo.caddyfile puts into the queue.
const durablePath = "durable"

// downEvents are the types of the events that arrive while the receiver is down.
var downEvents = []string{"reply.sent", "reply.sent", "ticket.opened"}

const (
	// deliverWithin is how long the queue may take to deliver after the receiver is
	// back.
	deliverWithin = 10 * time.Second

	// quietTime is how long to watch for a second delivery: longer than the longest
	// pause between two attempts in demo.caddyfile.
	quietTime = 600 * time.Millisecond
)

// durableSteps returns the steps of events that go through the queue while the
// receiver is down, and the gateway restarts.
func (d *demo) durableSteps() []step {
	repeat := d.downEvent(len(downEvents) - 1)
	return []step{
		{who: "receiver", name: "goes down", outcome: "its listener is closed", do: func() (string, error) { return "", d.receiver.stop() }},
		{who: "acme", name: "three while it is down", outcome: "200 each, on disk", do: d.sendWhileDown},
		{who: "gateway", name: "restarts", outcome: "its queue is closed and opened again", do: func() (string, error) { return "", d.gateway.restart() }},
		d.step("duplicate of the last", "200, not stored again", repeat),
		{who: "receiver", name: "comes back", outcome: "all three delivered once, signed, each with its own webhook-id", do: d.awaitDeliveries},
	}
}

// downEvent returns the delivery of one of downEvents.
func (d *demo) downEvent(i int) request {
	r := acme(fmt.Sprintf("down-%d", i), downEvents[i])
	r.path, r.types = durablePath, nil
	return r
}

// sendWhileDown sends downEvents.
func (d *demo) sendWhileDown() (problem string, err error) {
	for i := range downEvents {
		if problem, err = d.try(d.downEvent(i)); problem != "" || err != nil {
			return problem, err
		}
	}
	return "", nil
}

// awaitDeliveries starts the receiver again, and waits for downEvents.
func (d *demo) awaitDeliveries() (problem string, err error) {
	if err = d.receiver.start(); err != nil {
		return "", err
	}
	deadline := time.Now().Add(deliverWithin)
	for len(d.receiver.peek()) < len(downEvents) && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(quietTime)

	types, err := d.receiver.types()
	if err != nil {
		return err.Error(), nil
	}
	ids := make(map[string]bool)
	for _, delivery := range d.receiver.peek() {
		ids[delivery.id] = true
	}
	var want []string
	for _, event := range downEvents {
		want = append(want, acmeTypes[event])
	}
	// The destination is not ordered.
	slices.Sort(types)
	slices.Sort(want)
	switch {
	case !slices.Equal(types, want):
		return fmt.Sprintf("delivered %q instead of %q within %s", types, want, deliverWithin), nil
	case len(ids) != len(downEvents):
		return fmt.Sprintf("%d different webhook-ids instead of %d", len(ids), len(downEvents)), nil
	}
	return "", nil
}
