package command

import (
	"errors"
	"net/http"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
)

func replayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay <msg_...>... | --dead | --since <time> [--destination <name>]",
		Short: "Delivers events of a running gateway again",
		Long: `
Delivers events again: those with the ids, all dead letters, or all that arrived
since a time. They keep their webhook-id, and carry the header webhook-replay: true.
A replay is never treated as a duplicate, and bypasses ordering. Ids and --since
include discarded events.

  caddy webhooks replay msg_qmg34d6hl7ceiilpask66mlmymhvjw2m
  caddy webhooks replay --dead --destination crm
  caddy webhooks replay --since 2h
  caddy webhooks replay --since 2026-01-02T15:04:05Z`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().Bool("dead", false, "Replay all dead letters")
	cmd.Flags().String("since", "", "Replay all events since a time in RFC 3339, or a duration ago, such as 2h or 7d")
	cmd.Flags().String("destination", "", "Replay to this destination only")
	return overAdmin(cmd, runReplay)
}

func runReplay(c adminClient, args []string) error {
	selection, err := replaySelection(c.flags, args, time.Now())
	if err != nil {
		return err
	}
	return ask(c, http.MethodPost, "/webhooks/replay", selection, func(answer admin.Replayed) error {
		if answer.Replayed == 0 {
			return c.printf("Nothing to replay.")
		}
		return c.printf("Replaying %s.", count(answer.Replayed, "delivery", "deliveries"))
	})
}

// replaySelection returns the events that flags and arguments select.
func replaySelection(fl caddycmd.Flags, ids []string, now time.Time) (admin.Selection, error) {
	selection := admin.Selection{IDs: ids, Dead: fl.Bool("dead")}
	var err error
	if selection.Destination, err = destinationFlag(fl); err != nil {
		return selection, err
	}
	if since := fl.String("since"); since != "" {
		var t time.Time
		if t, err = parseTime("since", since, now); err != nil {
			return selection, err
		}
		selection.Since = t.UTC().Format(time.RFC3339Nano)
	}
	switch ways := len(selection.Ways()); {
	case ways == 0:
		return selection, errors.New("select the events with one of: ids, --dead, --since <time>")
	case ways > 1:
		return selection, errors.New("select the events with only one of: ids, --dead, --since <time>")
	}
	_, err = admin.ParseIDs(ids)
	return selection, err
}
