package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

func deadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead [<msg_...>] [--destination <name>] [--causes | --discard]",
		Short: "Lists, shows or discards the dead letters of a running gateway",
		Long: `
Lists the dead letters, the latest first: the events whose attempts at a destination
are used up, or which it answered with 410 or a redirect. With an id, it shows the
last answer, and the request body. An id is the webhook-id of a request; in Caddy's
logs it is {http.webhooks.message_id}.

  caddy webhooks dead --destination crm
  caddy webhooks dead --causes
  caddy webhooks dead msg_qmg34d6hl7ceiilpask66mlmymhvjw2m
  caddy webhooks dead msg_qmg34d6hl7ceiilpask66mlmymhvjw2m --discard
  caddy webhooks dead --discard --all --destination crm --cause "answered 410"

--causes groups them by destination and last error. Before it discards more than one,
it prints how many, and asks.

To deliver them again, use "caddy webhooks replay". A discarded event stays in the
queue until retention removes it: a replay by its id, or with --since, delivers it
again.`,
		Args: takesArgs(0, 1, "dead takes at most one id; for all dead letters, leave it out"),
	}
	cmd.Flags().String("destination", "", "Only dead letters of this destination")
	cmd.Flags().Int("limit", admin.DefaultLimit, fmt.Sprintf("Maximum number of dead letters to list, up to %d", admin.MaxLimit))
	cmd.Flags().Bool("causes", false, "Count them by destination and last error")
	cmd.Flags().Bool("discard", false, "Discard the one with the id, or several with --all")
	cmd.Flags().Bool("all", false, "With --discard: all dead letters, or all of --destination")
	cmd.Flags().String("cause", "", "With --discard --all: only those with this last error")
	cmd.Flags().BoolP("yes", "y", false, "Discard without asking")
	return overAdmin(cmd, runDead)
}

func runDead(c adminClient, args []string) error {
	discard, all := c.flags.Bool("discard"), c.flags.Bool("all")
	switch {
	case all && !discard:
		return errors.New("--all needs --discard; to list all dead letters, leave it out")
	case all && len(args) > 0:
		return errors.New("use an id or --all, not both")
	case discard && !all && len(args) == 0:
		return errors.New("--discard needs an id or --all")
	case c.flags.Bool("causes") && (discard || len(args) > 0):
		return errors.New("--causes takes no id and no --discard")
	case c.flags.Changed("cause") && !all:
		return errors.New("--cause needs --discard --all")
	}
	destination, err := destinationFlag(c.flags)
	if err != nil {
		return err
	}
	if all {
		return discardAll(c, destination)
	}
	if c.flags.Bool("causes") {
		return listCauses(c, destination)
	}
	if len(args) == 0 {
		return listDeadLetters(c, destination)
	}
	key, err := envelope.ParseKey(args[0])
	if err != nil {
		return err
	}
	uri := withQuery("/webhooks/dead/"+key.String(), url.Values{}, destination)
	if discard {
		return discardOne(c, uri)
	}
	return showDeadLetters(c, uri)
}

func listDeadLetters(c adminClient, destination *string) error {
	limit := c.flags.Int("limit")
	if limit < 1 || limit > admin.MaxLimit {
		return fmt.Errorf("--limit must be from 1 to %d", admin.MaxLimit)
	}
	uri := withQuery("/webhooks/dead", url.Values{"limit": {strconv.Itoa(limit)}}, destination)
	return ask(c, http.MethodGet, uri, nil, func(letters []queue.DeadLetter) error {
		if len(letters) == limit {
			fmt.Fprintf(c.notes, "The first %d; for more, set --limit, up to %d.\n", limit, admin.MaxLimit)
		}
		return printDead(c.w, letters, time.Now())
	})
}

func showDeadLetters(c adminClient, uri string) error {
	return ask(c, http.MethodGet, uri, nil, func(letters []admin.DeadLetter) error {
		for i, letter := range letters {
			if i > 0 {
				fmt.Fprintln(c.w)
			}
			if err := printDeadLetter(c.w, letter, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

const noDead = "No dead letters."

// printDead prints a line for each dead letter.
func printDead(w io.Writer, letters []queue.DeadLetter, now time.Time) error {
	if len(letters) == 0 {
		_, err := fmt.Fprintln(w, noDead)
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tPROVIDER\tEVENT\tTYPE\tDESTINATION\tATTEMPTS\tSTATUS\tAGE")
	for _, l := range letters {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", cell(l.ID), cell(l.Provider), cell(l.EventID), cell(l.Type), cell(l.Destination),
			l.Attempts, statusText(l.LastStatus), age(now.Sub(l.Died)))
	}
	return table.Flush()
}

// printDeadLetter prints all fields of a dead letter.
func printDeadLetter(w io.Writer, l admin.DeadLetter, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row(table, "id", l.ID)
	row(table, "provider", l.Provider)
	row(table, "event", l.EventID)
	row(table, "type", l.Type)
	row(table, "destination", l.Destination)
	row(table, "received", timeText(l.Received, now))
	row(table, "died", timeText(l.Died, now))
	row(table, "attempts", fmt.Sprint(l.Attempts))
	row(table, "last status", statusText(l.LastStatus))
	row(table, "last error", l.LastError)
	row(table, "last answer", strings.TrimSpace(l.Excerpt))
	if err := table.Flush(); err != nil {
		return err
	}
	if len(l.Body) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s\n", printableLines(bodyText(l.Body)))
	return err
}

// bodyText returns a body as people read it: indented if it is JSON, as it was sent
// otherwise.
func bodyText(body json.RawMessage) string {
	var text string
	if json.Unmarshal(body, &text) == nil {
		return text
	}
	return string(pretty(body))
}

// statusText returns the status of the last answer.
func statusText(status int) string {
	if status == 0 {
		return "none"
	}
	return fmt.Sprint(status)
}
