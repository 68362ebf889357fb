package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// tailLine returns a line of the live feed, cut to the width of the screen. It begins
// with the time, the kind, the id and the outcome.
func tailLine(line journal.Line, to screen, now time.Time) string {
	switch {
	case line.Event != nil:
		e := line.Event
		return fitted(to, e.Received.In(now.Location()), "event", e.ID, styled{e.Outcome, eventStyle(e.Outcome)}, e.Type, e.Provider, e.Subject)
	case line.Attempt != nil:
		a := line.Attempt
		word, style := attemptText(a.Outcome)
		text := a.Destination + " " + word
		if a.Status > 0 {
			text += fmt.Sprintf(" (%d)", a.Status)
		}
		text += " in " + tookText(a.TookMS)
		if a.PastAttempt.Attempt > 1 {
			text += fmt.Sprintf(", attempt %d", a.PastAttempt.Attempt)
		}
		if !a.Next.IsZero() {
			text += ", next " + when(a.Next, now)
		}
		return fitted(to, a.Time.In(now.Location()), "attempt", a.ID, styled{text, style}, a.Type, a.Provider, a.Subject, a.Error)
	case line.Refusal != nil:
		r := line.Refusal
		return fitted(to, r.Time.In(now.Location()), "refusal", fmt.Sprintf("%d %s", r.Status, r.Source), styled{r.Reason, red}, r.Cause, r.ClientIP)
	}
	return ""
}

// fitted joins the texts of a line.
func fitted(to screen, at time.Time, kind, id string, outcome styled, rest ...string) string {
	head := fmt.Sprintf("%s  %-7s  %-36s  ", at.Format(time.TimeOnly), kind, printable(id))
	var tail strings.Builder
	for _, text := range rest {
		if text != "" {
			tail.WriteString(gap + printable(text))
		}
	}
	text, more := printable(outcome.text), tail.String()
	if to.width > 0 {
		left := max(to.width-columnsOf(head), 1)
		text = cut(text, left)
		if left -= columnsOf(text); left > len(gap) {
			more = cut(more, left)
		} else {
			more = ""
		}
	}
	return head + outcome.style.in(to, text) + more
}

// eventStyle returns the style of an event's outcome.
func eventStyle(outcome string) emphasis {
	switch outcome {
	case "accepted", "duplicate":
		return plain
	case "unrouted":
		return yellow
	}
	return red
}

// attemptText returns the outcome of an attempt in words.
func attemptText(o queue.Outcome) (string, emphasis) {
	switch o {
	case queue.OutcomeRetrying:
		return "failed", yellow
	case queue.OutcomeDead:
		return "dead", red
	case queue.OutcomeHandedBack:
		return "interrupted", yellow
	}
	return string(o), plain
}
