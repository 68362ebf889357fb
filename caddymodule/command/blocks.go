package command

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

func blocksCommand() *cobra.Command {
	return overAdmin(&cobra.Command{
		Use:   "blocks",
		Short: "Lists the webhooks blocks of a running gateway, and what they did last",
		Long: `
Lists the webhooks blocks of the config: when each last accepted an event, how many a
minute, when it last refused a request and why, and by which of its secrets or tokens
the last proof was. For a block that has accepted none since the gateway started, it
prints what to enter at the provider.

  caddy webhooks blocks

For the refused requests, see "caddy webhooks refusals".`,
		Args: takesArgs(0, 0, "blocks takes no argument; it lists all"),
	}, runBlocks)
}

func runBlocks(c adminClient, _ []string) error {
	return ask(c, http.MethodGet, "/webhooks/blocks", nil, func(answer journal.Blocks) error {
		return printBlocks(c, answer.Blocks, time.Now())
	})
}

func printBlocks(c adminClient, all []journal.Block, now time.Time) error {
	if len(all) == 0 {
		return c.printf("No webhooks blocks.")
	}
	blocks := newTable(c.w, c.screen,
		column{name: "PROVIDER", least: 8},
		column{name: "SOURCE", least: 10},
		column{name: "ACCEPTED"},
		column{name: "PER MINUTE", rank: 2},
		column{name: "REFUSED"},
		column{name: "REASON", least: 10},
		column{name: "SECRET", rank: 1},
		column{name: "TO", least: 12},
	)
	for _, b := range all {
		reason := styled{cmp.Or(b.LastRefusedReason, "-"), plain}
		if b.LastRefused.After(b.LastAccepted) {
			reason.style = yellow
		}
		secret := styled{"-", plain}
		switch {
		case b.Unverified:
			secret = styled{"unverified", yellow}
		case b.LastSecret > 0:
			secret.text = fmt.Sprint(b.LastSecret)
		}
		blocks.add(styled{text: b.Provider}, styled{text: b.Source}, styled{text: ago(b.LastAccepted, now)}, styled{text: rateText(b.AcceptedPerMinute)},
			styled{text: ago(b.LastRefused, now)}, reason, secret, styled{text: cmp.Or(strings.Join(b.Destinations, ", "), "next handler")})
	}
	if err := blocks.flush(); err != nil {
		return err
	}
	for _, b := range all {
		if b.LastAccepted.IsZero() && b.Note != "" {
			if err := c.printf("\n%s has accepted no event since the gateway started. Enter at the provider: %s", printable(b.Source), printable(b.Note)); err != nil {
				return err
			}
		}
	}
	return nil
}

// ago returns how long ago a time was.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return age(now.Sub(t)) + " ago"
}

// rateText returns a rate with two digits that count.
func rateText(rate float64) string {
	switch {
	case rate == 0:
		return "0"
	case rate < 0.05:
		return "<0.1"
	case rate < 10:
		return fmt.Sprintf("%.1f", rate)
	}
	return humanize.Comma(int64(math.Round(rate)))
}
