package command

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// printEvent prints everything about an event.
func printEvent(c adminClient, e journal.History, now time.Time) error {
	fields := tabwriter.NewWriter(c.w, 0, 0, 2, ' ', 0)
	row(fields, "id", e.ID)
	row(fields, "provider", e.Provider)
	row(fields, "source", e.Source)
	row(fields, "event", e.EventID)
	row(fields, "type", e.Type)
	row(fields, "subject", e.Subject)
	row(fields, "partition key", e.PartitionKey)
	row(fields, "received", timeText(e.Received, now))
	row(fields, "size", humanize.Comma(e.Size)+" bytes")
	if e.Duplicates > 0 {
		row(fields, "duplicates", fmt.Sprintf("%s, the last %s", humanize.Comma(e.Duplicates), timeText(e.LastDuplicate, now)))
	}
	if r := e.Request; r != nil {
		row(fields, "request", fmt.Sprintf("%s %s of %s, from %s", r.Method, r.URI, r.Host, r.RemoteAddr))
	}
	if e.Direct != nil || len(e.Destinations) == 0 {
		outcome, _ := outcomeOf(e.Event)
		row(fields, "outcome", outcome)
	}
	if err := fields.Flush(); err != nil {
		return err
	}
	if e.Request != nil {
		printHeader(c, e.Request.Header)
	}
	for _, d := range e.Destinations {
		if err := printDeliveries(c, d, now); err != nil {
			return err
		}
	}
	name, body := "envelope", e.Envelope
	if len(body) == 0 {
		name, body = "original", e.Original
	}
	if len(body) == 0 {
		return c.printf("\nIts body is not remembered any more.")
	}
	return c.printf("\n%s\n%s", name, printableLines(bodyText(body)))
}

// printHeader prints the headers of the request.
func printHeader(c adminClient, header map[string][]string) {
	if len(header) == 0 {
		return
	}
	fmt.Fprintln(c.w, "\nheaders")
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			fmt.Fprintln(c.w, printable("  "+name+": "+value))
		}
	}
}

// printDeliveries prints the state of an event at a destination, and its attempts.
func printDeliveries(c adminClient, d queue.DeliveryStatus, now time.Time) error {
	state, style := stateText(d)
	if !d.Next.IsZero() {
		state += ", next attempt " + when(d.Next, now)
	}
	fmt.Fprintf(c.w, "\n%s: %s\n", printable(d.Destination), style.in(c.screen, printable(state)))
	if len(d.Attempts) == 0 {
		if d.LastError != "" {
			return c.printf("  %s", printable(d.LastError))
		}
		return nil
	}
	attempts := newTable(indented{c.w}, c.screen.narrower(2),
		column{name: "ATTEMPT"}, column{name: "BEGAN"}, column{name: "TOOK"}, column{name: "STATUS"},
		column{name: "OUTCOME"})
	for _, a := range d.Attempts {
		number := fmt.Sprint(a.Attempt)
		if a.Replay {
			number += " replay"
		}
		outcome, style := attemptText(a.Outcome)
		attempts.add(styled{text: number}, styled{text: a.Began.UTC().Format(time.RFC3339)}, styled{text: tookText(a.TookMS)},
			styled{text: statusText(a.Status)}, styled{outcome, style})
		if a.Error != fmt.Sprintf("answered %d", a.Status) {
			attempts.below(a.Error)
		}
	}
	if err := attempts.flush(); err != nil {
		return err
	}
	return printAnswers(c, d.Attempts)
}

// printAnswers prints what the destination answered to failed attempts: an answer that
// comes several times in a row once, with the last of them.
func printAnswers(c adminClient, attempts []queue.PastAttempt) error {
	for i, a := range attempts {
		name, answer := "last answer", strings.TrimSpace(a.Excerpt)
		if i+1 < len(attempts) {
			name = fmt.Sprintf("answer to attempt %d", a.Attempt)
			if answer == strings.TrimSpace(attempts[i+1].Excerpt) {
				continue
			}
		}
		if answer == "" {
			continue
		}
		if err := c.printf("  %s: %s", name, printable(answer)); err != nil {
			return err
		}
	}
	return nil
}

// when returns how far away a time is. One that has passed is due, and may stay so for
// long: a destination that is down gets one event at a time.
func when(t, now time.Time) string {
	switch left := t.Sub(now); {
	case left >= time.Second:
		return "in " + age(left)
	case left > 0:
		return "in <1s"
	}
	return "due"
}
