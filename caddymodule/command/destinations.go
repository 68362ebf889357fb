package command

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

func destinationsCommand() *cobra.Command {
	return overAdmin(&cobra.Command{
		Use:   "destinations",
		Short: "Lists the destinations of a running gateway, with their backlog and last error",
		Long: `
Lists the destinations: the number of undelivered events, the age of the oldest,
the number of dead letters, and the gateway that delivers. * marks the gateway that
answers. Deliveries and failures per second, and how long the median attempt (P50)
and the slowest hundredth (P99) take, are of this gateway in the last minute. The
last error of each destination follows, and how full the queue is. A queue of several
logs also shows what is in each of them, and how many destinations which gateway
delivers from there.

  caddy webhooks destinations

  STATE       meaning
  delivering  events are delivered as they arrive
  down        ten attempts in a row have failed; one event at a time is tried
  paused      until "caddy webhooks resume <name>"
  idle        no gateway delivers; one takes over within seconds
  removed     it is not in the configuration, and keeps its backlog until it
              returns or "caddy webhooks forget <name>"`,
		Args: takesArgs(0, 0, "destinations takes no argument; it lists all"),
	}, runDestinations)
}

func runDestinations(c adminClient, _ []string) error {
	return ask(c, http.MethodGet, "/webhooks/destinations", nil, func(all []journal.Destination) error {
		if err := printDestinations(c, all, time.Now()); err != nil {
			return err
		}
		answer, err := c.request(http.MethodGet, "/webhooks/queue", nil)
		if err != nil {
			return err
		}
		var q admin.Queue
		if err := json.Unmarshal(answer, &q); err != nil || q.LimitBytes <= 0 {
			return errors.New("the gateway does not report the size of its queue")
		}
		if err := c.printf("\n%s", queueText(q)); err != nil {
			return err
		}
		return printLogs(c, q.Logs)
	})
}

// queueText says whether the queue takes events, and how full it is.
func queueText(q admin.Queue) string {
	takes := "takes events"
	if !q.Ready {
		takes = "takes no events now; see Caddy's log"
	}
	return fmt.Sprintf("The queue %s. It holds %s of %s (%d%%).", takes, humanize.IBytes(uint64(q.Bytes)),
		humanize.IBytes(uint64(q.LimitBytes)), 100*q.Bytes/q.LimitBytes)
}

// printDestinations prints a line for each destination, and their last errors.
func printDestinations(c adminClient, all []journal.Destination, now time.Time) error {
	if len(all) == 0 {
		return c.printf("No destinations.")
	}
	destinations := newTable(c.w, c.screen,
		column{name: "NAME", least: 10},
		column{name: "STATE"},
		column{name: "BACKLOG"},
		column{name: "OLDEST"},
		column{name: "DEAD"},
		column{name: "DELIVERED/S", rank: 3},
		column{name: "FAILED/S", rank: 3},
		column{name: "P50", rank: 2},
		column{name: "P99", rank: 2},
		column{name: "GATEWAY", least: 8, rank: 1},
	)
	for _, d := range all {
		oldest, state := "-", styled{text: stateOf(d.DestinationStatus)}
		if !d.OldestUndelivered.IsZero() {
			oldest = age(now.Sub(d.OldestUndelivered))
		}
		if d.Down {
			state.style = red
		}
		gateway := cmp.Or(d.Gateway, "-")
		if d.Here {
			gateway += " *"
		}
		destinations.add(styled{text: d.Destination}, state, styled{text: humanize.Comma(d.Backlog)}, styled{text: oldest}, styled{text: humanize.Comma(d.DeadLetters)},
			styled{text: rateText(d.DeliveredPerSecond)}, styled{text: rateText(d.FailedPerSecond)},
			styled{text: percentileText(d.TookP50MS)}, styled{text: percentileText(d.TookP99MS)}, styled{text: gateway})
	}
	if err := destinations.flush(); err != nil {
		return err
	}
	between := "\n"
	for _, d := range all {
		if d.LastError == "" {
			continue
		}
		if _, err := fmt.Fprintf(c.w, "%s%s\n", between, printable(lastErrorText(d.DestinationStatus, now))); err != nil {
			return err
		}
		between = ""
	}
	return nil
}

// percentileText returns a duration of attempts, 0 for none.
func percentileText(ms float64) string {
	if ms == 0 {
		return "-"
	}
	return tookText(ms)
}

// lastErrorText describes the last error of a destination.
func lastErrorText(d queue.DestinationStatus, now time.Time) string {
	if d.FailedSince.IsZero() || now.Sub(d.FailedSince) < time.Second {
		return fmt.Sprintf("%s last failed %s: %s", d.Destination, ago(d.LastFailed, now), d.LastError)
	}
	return fmt.Sprintf("%s has failed for %s, the last time %s: %s", d.Destination, age(now.Sub(d.FailedSince)), ago(d.LastFailed, now), d.LastError)
}

// stateOf returns the state of a destination in one word.
func stateOf(d queue.DestinationStatus) string {
	switch {
	case !d.Configured:
		return "removed"
	case d.Paused:
		return "paused"
	case d.Down:
		return "down"
	case d.Gateway == "":
		return "idle"
	}
	return "delivering"
}
