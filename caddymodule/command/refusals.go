package command

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

func refusalsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "refusals [--provider <name>] [--reason <code>]",
		Short: "Lists the requests that a running gateway refused, and why",
		Long: `
Lists the requests that the gateway refused, the latest first, and why. It remembers
the last 1,000, in memory.

  caddy webhooks refusals --provider notifly
  caddy webhooks refusals --reason bad_credential
  caddy webhooks refusals --json

With --json, it prints each as JSON on a line of its own, with the names of the
headers that were there. On a narrow terminal, texts are cut and columns left out.`,
		Args: takesArgs(0, 0, "refusals takes no argument; use --provider or --reason"),
	}
	cmd.Flags().String("provider", "", "Only requests to blocks of this provider")
	cmd.Flags().String("reason", "", "Only requests with this `code`, as in log and metrics")
	addPageFlags(cmd)
	overAdmin(cmd, runRefusals)
	cmd.Flags().Lookup("json").Usage = "Print JSON, a refusal a line"
	return cmd
}

func runRefusals(c adminClient, _ []string) error {
	now := time.Now()
	filters, err := readFilters(c.flags, []string{"provider", "reason"}, now)
	if err != nil {
		return err
	}
	columns := []column{{name: "WHEN"}, {name: "SOURCE", least: 10}, {name: "REASON"}, {name: "STATUS"}, {name: "CLIENT", least: 12, rank: 2}, {name: "REQUEST", least: 10, rank: 1}}
	isTerminal := c.screen.width > 0
	if !isTerminal {
		columns = append(columns, column{name: "CAUSE"})
	}
	refusals := newTable(c.w, c.screen, columns...)
	n := 0
	return c.printList(list{"/webhooks/refusals", "refusals", queryOf(filters)}, func(page listPage) error {
		found, err := decode[journal.Refusal](page)
		if err != nil {
			return err
		}
		if n += len(found); n == 0 {
			return c.printf("No refusals.")
		}
		for _, r := range found {
			cells := []styled{{text: shortTime(r.Time, now)}, {text: r.Source}, {r.Reason, red}, {text: fmt.Sprint(r.Status)}, {text: r.ClientIP}, {text: requestText(r)}}
			if !isTerminal {
				refusals.add(append(cells, styled{text: r.Cause})...)
				continue
			}
			refusals.add(cells...)
			refusals.below(r.Cause) // it is what people look for
		}
		return refusals.flush()
	})
}

// requestText describes the request that was refused.
func requestText(r journal.Refusal) string {
	return fmt.Sprintf("%s %s, %s", r.Method, r.Path, humanize.SIWithDigits(float64(r.Size), 1, "B"))
}
