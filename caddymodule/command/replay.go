package command

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
)

func replayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay <msg_...>... | --dead | --since <time> [--destination <name>]",
		Short: "Destinations events of a running gateway again",
		Long: `
Destinations events again: those with the ids, all dead letters, or all that came in
since a time. They keep their webhook-id, and carry the header webhook-replay: true.

  caddy webhooks replay msg_qmg34d6hl7ceiilpask66mlmymhvjw2m
  caddy webhooks replay --dead --destination crm
  caddy webhooks replay --since 2h
  caddy webhooks replay --since 2026-01-02T15:04:05Z`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().Bool("dead", false, "All dead letters")
	cmd.Flags().String("since", "", "All events since a time in RFC 3339, or for so long, as in 2h or 7d")
	cmd.Flags().String("destination", "", "Only to this destination")
	return overAdmin(cmd, runReplay)
}

func runReplay(c adminClient, args []string) error {
	selection, err := replaySelection(c.flags, args, time.Now())
	if err != nil {
		return err
	}
	return ask(c, http.MethodPost, "/webhooks/replay", selection, func(answer admin.Replayed) error {
		if answer.Replayed == 0 {
			return c.say("Nothing to replay.")
		}
		return c.say("%s will be made again.", count(answer.Replayed, "delivery", "deliveries"))
	})
}

// replaySelection reads from the flags what to replay.
func replaySelection(fl caddycmd.Flags, ids []string, now time.Time) (admin.Selection, error) {
	selection := admin.Selection{IDs: ids, Dead: fl.Bool("dead")}
	var err error
	if selection.Destination, err = destinationFlag(fl); err != nil {
		return selection, err
	}
	if since := fl.String("since"); since != "" {
		t, err := parseSince(since, now)
		if err != nil {
			return selection, err
		}
		selection.Since = t.UTC().Format(time.RFC3339Nano)
	}
	if len(selection.Ways()) != 1 {
		return selection, errors.New("say which events: by their ids, by --dead, or by --since <time>; by one of these")
	}
	_, err = admin.ParseIDs(ids)
	return selection, err
}

// parseSince reads a time, or how long ago it was.
func parseSince(s string, now time.Time) (time.Time, error) {
	if ago, err := caddy.ParseDuration(s); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	t, err := admin.ParseTime(s)
	if err != nil {
		return t, fmt.Errorf("--since: %w; or say how long ago, as in 2h or 7d", err)
	}
	return t, nil
}
