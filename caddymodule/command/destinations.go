package command

import (
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

func destinationsCommand() *cobra.Command {
	return overAdmin(&cobra.Command{
		Use:   "destinations",
		Short: "Lists the destinations of a running gateway, with their backlog",
		Long: `
Lists the destinations: the number of undelivered events, the age of the oldest,
the number of dead letters, and the gateway that delivers. * marks the gateway that
answers.

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
	return ask(c, http.MethodGet, "/webhooks/destinations", nil, func(all []queue.DestinationStatus) error {
		return printDestinations(c.w, all, time.Now())
	})
}

// printDestinations prints a line for each destination.
func printDestinations(w io.Writer, all []queue.DestinationStatus, now time.Time) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "No destinations.")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSTATE\tBACKLOG\tOLDEST\tDEAD\tGATEWAY")
	for _, d := range all {
		oldest, gateway := "-", "-"
		if !d.OldestUndelivered.IsZero() {
			oldest = age(now.Sub(d.OldestUndelivered))
		}
		if d.Gateway != "" {
			gateway = d.Gateway
		}
		if d.Here {
			gateway += " *"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%d\t%s\n", cell(d.Destination), stateOf(d), d.Backlog, oldest, d.DeadLetters, printable(gateway))
	}
	return table.Flush()
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
