package command

import (
	"errors"
	"net/http"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

func replayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay <msg_...>... | --dead | --since <time> | [filters]",
		Short: "Delivers events of a running gateway again",
		Long: `
Delivers events again: those with the ids, all dead letters, all that arrived since a
time, or all that the filters select. They keep their webhook-id, and carry the header
webhook-replay: true. A replay is never treated as a duplicate, and bypasses ordering.
Except with --dead, discarded events are included.

  caddy webhooks replay msg_qmg34d6hl7ceiilpask66mlmymhvjw2m
  caddy webhooks replay --dead --destination crm --cause "answered 500"
  caddy webhooks replay --since 2h
  caddy webhooks replay --type 'message.*' --partitionkey xgQQXg3hrtjh7AvZ --since 2026-01-02T15:04:05Z
  caddy webhooks replay --state dead --provider notifly --dry-run

The filters are those of "caddy webhooks events". With --destination and --state, only
the deliveries to that destination and in that state are replayed.

Before it replays more than one delivery, it prints how many, and asks.`,
		Args: cobra.ArbitraryArgs,
	}
	addFilterFlags(cmd)
	cmd.Flags().Bool("dead", false, "Replay all dead letters")
	cmd.Flags().String("cause", "", "With --dead: only those with this last error, as in \"caddy webhooks dead --causes\"")
	cmd.Flags().Bool("dry-run", false, "Only print how many deliveries it would replay")
	cmd.Flags().BoolP("yes", "y", false, "Replay without asking")
	return overAdmin(cmd, runReplay)
}

func runReplay(c adminClient, args []string) error {
	selection, err := replaySelection(c.flags, args, time.Now())
	if err != nil {
		return err
	}
	if c.flags.Bool("dry-run") {
		selection.DryRun = true
		return ask(c, http.MethodPost, replayPath, selection, func(answer admin.Replayed) error {
			return c.printf("Would replay %s.", deliveries(counted(answer.WouldReplay), selection))
		})
	}
	if !c.flags.Bool("yes") {
		if err = c.confirmReplay(selection); err != nil {
			return err
		}
	}
	return ask(c, http.MethodPost, replayPath, selection, func(answer admin.Replayed) error {
		if answer.Replayed == 0 {
			return c.printf("Nothing to replay.")
		}
		return c.printf("Replaying %s.", deliveries(answer.Replayed, selection))
	})
}

const replayPath = "/webhooks/replay"

// confirmReplay counts the deliveries, and asks if there are several.
func (c adminClient) confirmReplay(selection admin.Selection) error {
	selection.DryRun = true
	answer, err := askFor[admin.Replayed](c, http.MethodPost, replayPath, selection)
	if err != nil {
		return err
	}
	n := counted(answer.WouldReplay)
	if n <= 1 {
		return nil
	}
	return confirm(c.in, c.notes, "Replay "+deliveries(n, selection)+"?", "nothing was replayed")
}

// deliveries returns a number of deliveries, and to where.
func deliveries(n int64, selection admin.Selection) string {
	text := count(n, "delivery", "deliveries")
	if selection.Destination != nil {
		return text + " to " + printable(*selection.Destination)
	}
	if name := selection.Filter["destination"]; name != "" {
		return text + " to " + printable(name)
	}
	return text
}

// counted returns the number in the answer to a dry run.
func counted(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// replaySelection returns the events that flags and arguments select.
func replaySelection(fl caddycmd.Flags, ids []string, now time.Time) (admin.Selection, error) {
	selection := admin.Selection{IDs: ids, Dead: fl.Bool("dead")}
	filters, err := readFilters(fl, journal.FilterNames, now)
	if err != nil {
		return selection, err
	}
	if selection.Cause, err = causeFlag(fl); err != nil {
		return selection, err
	}
	others := len(filters) // but for the destination and a time alone
	if destination, ok := filters["destination"]; ok {
		selection.Destination = &destination
		others--
	}
	if since, ok := filters["since"]; ok && others == 1 {
		selection.Since = since
	} else if others > 0 {
		selection.Filter, selection.Destination = filters, nil
	}
	switch ways := len(selection.Ways()); {
	case ways == 0:
		return selection, errors.New("select the events with one of: ids, --dead, --since <time>, filters other than --destination")
	case ways > 1 && selection.Dead && len(ids) == 0:
		return selection, errors.New("use --dead or filters, not both; as a filter, use --state dead")
	case ways > 1:
		return selection, errors.New("select the events with only one of: ids, --dead, --since <time>, filters")
	case selection.Cause != "" && !selection.Dead:
		return selection, errors.New("--cause needs --dead")
	}
	_, err = admin.ParseIDs(ids)
	return selection, err
}

// causeFlag returns --cause, "" for all causes. An empty value is an error.
func causeFlag(fl caddycmd.Flags) (string, error) {
	cause := fl.String("cause")
	if fl.Changed("cause") && cause == "" {
		return "", errors.New("--cause is empty; give it a last error, or leave it out for all")
	}
	return cause, nil
}
