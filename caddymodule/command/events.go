package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

func eventsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events [filters]",
		Short: "Lists the events of a running gateway, and what became of them",
		Long: `
Lists the events that came in, the latest first, with what became of each at each
destination. Filters are combined with "and".

  caddy webhooks events --since 2h
  caddy webhooks events --partitionkey xgQQXg3hrtjh7AvZ --state dead
  caddy webhooks events --type 'message.*' --destination crm --state retrying
  caddy webhooks events --text order-1042
  caddy webhooks events --since 30d --json > audit.jsonl

  STATE      at a destination
  waiting    for its first attempt
  retrying   for another attempt; the last status is behind it
  parked     for an older event of its partition key
  delivered  the destination acknowledged it
  dead       a dead letter
  discarded  a dead letter that was discarded
  unrouted   no destination takes it

A text is searched in the stored bodies, the latest first, which can take a while:
set --since, too. With --json, it prints all events, each as JSON on a line of its
own. On a narrow terminal, texts are cut and columns left out.`,
		Args: takesArgs(0, 0, "events takes no argument; to show one event, use \"caddy webhooks event\""),
	}
	addFilterFlags(cmd)
	addPageFlags(cmd)
	overAdmin(cmd, runEvents)
	cmd.Flags().Lookup("json").Usage = "Print JSON, an event a line"
	return cmd
}

func runEvents(c adminClient, _ []string) error {
	now := time.Now()
	filters, err := readFilters(c.flags, journal.FilterNames, now)
	if err != nil {
		return err
	}
	events := newEventTable(c)
	n := 0
	return c.printList(list{"/webhooks/events", "events", queryOf(filters)}, func(page listPage) error {
		found, err := decode[journal.Event](page)
		if err != nil {
			return err
		}
		n += len(found)
		if n == 0 {
			if page.more {
				return nil
			}
			return c.printf("%s", noEvents(filters))
		}
		for _, e := range found {
			addEvent(events, e, now)
		}
		return events.flush()
	})
}

// noEvents is printed if there are no events.
func noEvents(filters map[string]string) string {
	if len(filters) > 0 {
		return "No such events."
	}
	return "No events yet. Send one: caddy webhooks send"
}

func newEventTable(c adminClient) *table {
	return newTable(c.w, c.screen,
		column{name: "WHEN"},
		column{name: "ID"},
		column{name: "PROVIDER", least: 8, rank: 2},
		column{name: "TYPE", least: 12},
		column{name: "SUBJECT", least: 14, rank: 1},
		column{name: "OUTCOME", least: 13},
	)
}

func addEvent(t *table, e journal.Event, now time.Time) {
	outcome, style := outcomeOf(e)
	t.add(styled{text: shortTime(e.Received, now)}, styled{text: e.ID}, styled{text: e.Provider}, styled{text: e.Type},
		styled{text: e.Subject}, styled{outcome, style})
}

// outcomeOf returns what became of an event, the worst first: the rest may be cut.
func outcomeOf(e journal.Event) (text string, worst emphasis) {
	var parts []string
	for _, wanted := range []emphasis{red, yellow, plain} {
		for _, d := range e.Destinations {
			if part, style := stateText(d); style == wanted {
				parts = append(parts, d.Destination+" "+part)
				worst = worse(worst, style)
			}
		}
	}
	switch {
	case e.Direct != nil:
		parts = append(parts, directText(e.Direct))
		if e.Direct.Outcome != "accepted" {
			worst = red
		}
	case len(parts) == 0:
		parts = append(parts, string(queue.StateUnrouted))
		worst = yellow
	}
	if e.Duplicates > 0 {
		parts = append(parts, count(e.Duplicates, "duplicate", "duplicates"))
	}
	return strings.Join(parts, ", "), worst
}

// stateText returns the state of an event at a destination, with the status of the last
// answer if that failed.
func stateText(d queue.DeliveryStatus) (string, emphasis) {
	text := string(d.State)
	switch {
	case d.Replay && d.State == queue.StateDelivered:
		text += " by replay"
	case d.Replay:
		text += " after a replay"
	}
	switch d.State {
	case queue.StateRetrying, queue.StateDead:
		if d.LastStatus > 0 {
			text += fmt.Sprintf(" (%d)", d.LastStatus)
		} else {
			text += " (no answer)"
		}
	}
	switch d.State {
	case queue.StateDead:
		return text, red
	case queue.StateRetrying, queue.StateParked:
		return text, yellow
	}
	return text, plain
}

// directText returns the answer of the next handler.
func directText(d *journal.Direct) string {
	if d.Status == 0 {
		return "no answer in " + tookText(d.TookMS)
	}
	return fmt.Sprintf("answered %d in %s", d.Status, tookText(d.TookMS))
}

// tookText returns a duration in milliseconds.
func tookText(ms float64) string {
	switch {
	case ms > 0 && ms < 0.05:
		return "<0.1 ms"
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}

// worse returns the style of the worse of two outcomes.
func worse(a, b emphasis) emphasis {
	if a == red || b == plain {
		return a
	}
	return b
}
