package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

func tailCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail [filters] [--to <url>]",
		Short: "Follows the events of a running gateway, or hands them on to an application",
		Long: `
Prints what happens at the gateway, as it happens: each event that comes in, each
attempt at a destination, and each refused request. Refusals have a provider and a
source only: with any other filter, they are left out. Ctrl-C ends it.

  caddy webhooks tail
  caddy webhooks tail --type 'message.*' --destination crm
  caddy webhooks tail --json

With --to, it hands each new event on to an application, such as one on your own
machine, and prints the answer:

  caddy webhooks tail --to http://localhost:3000/webhooks
  caddy webhooks tail --to http://localhost:3000/webhooks --sign {env.DEV_SIGNING_KEY}

The request has the body and the headers that a destination would get, except for
Authorization, Proxy-Authorization and cookies. The keys of the gateway never leave
it: without --sign, the request is not signed. The events are handed on one after the
other, in order, each once, and no duplicates. An answer that is not 2xx is printed,
and not retried.

The admin endpoint of a gateway elsewhere is reached through a tunnel, such as
ssh -L 2019:localhost:2019 gateway.example.com.`,
		Args: takesArgs(0, 0, "tail takes no argument; select events with filters, such as --provider"),
	}
	addFilterFlags(cmd)
	cmd.Flags().String("to", "", "Hand each new event on to the application at this `url`")
	cmd.Flags().StringArray("sign", nil, "With --to: sign with this `key`, whsec_ and base64; may be {env.NAME} or {file./path}; may be repeated")
	cmd.Flags().Duration("timeout", handTimeout, "With --to: maximum duration of each request")
	overAdmin(cmd, runTail)
	cmd.Flags().Lookup("json").Usage = "Print JSON, an object a line"
	return cmd
}

// handTimeout is the default of --timeout.
const handTimeout = 30 * time.Second

func runTail(c adminClient, _ []string) error {
	filters, err := readFilters(c.flags, journal.FilterNames, time.Now())
	if err != nil {
		return err
	}
	print, purpose := c.printLine, "Following "+c.address
	if c.flags.Bool("json") {
		print = c.printLineJSON
	}
	if c.flags.Changed("to") {
		h, err := newHandOn(c)
		if err != nil {
			return err
		}
		print, purpose = h.take, "Handing events on to "+c.flags.String("to")
	} else if c.flags.Changed("sign") || c.flags.Changed("timeout") {
		return errors.New("--sign and --timeout need --to")
	}
	ctx, stop := signal.NotifyContext(c.ctx, os.Interrupt)
	defer stop()
	defer context.AfterFunc(ctx, stop)() // a second Ctrl-C ends it even if the gateway does not answer
	f := feed{c: c, query: queryOf(filters), purpose: purpose}
	return f.follow(ctx, func(m message) error {
		if m.name == lostMessage {
			return c.printLost(m.data)
		}
		return print(ctx, m)
	})
}

// lostMessage is the name of a message that counts lost lines.
const lostMessage = "lost"

func (c adminClient) printLost(data []byte) error {
	var m struct {
		Lost int64 `json:"lost"`
	}
	if json.Unmarshal(data, &m) == nil {
		fmt.Fprintf(c.notes, "%s lost: this reader is too slow.\n", count(m.Lost, "line was", "lines were"))
	}
	return nil
}

// printLineJSON prints a line of the feed as JSON.
func (c adminClient) printLineJSON(_ context.Context, m message) error {
	return c.printf("%s", printable(string(compact(m.data))))
}

// printLine prints a line of the feed, cut to the width of the screen.
func (c adminClient) printLine(_ context.Context, m message) error {
	var line journal.Line
	if err := json.Unmarshal(m.data, &line); err != nil {
		return fmt.Errorf("the live feed of the admin API: %w", err)
	}
	return c.printf("%s", tailLine(line, c.screen, time.Now()))
}
