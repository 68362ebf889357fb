package command

import (
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// discardAll discards all dead letters, or those of a destination or a cause.
func discardAll(c adminClient, destination *string) error {
	cause, err := causeFlag(c.flags)
	if err != nil {
		return err
	}
	const uri = "/webhooks/dead"
	selection := admin.Selection{Dead: true, Destination: destination, Cause: cause}
	if !c.flags.Bool("yes") {
		dryRun := selection
		dryRun.DryRun = true
		answer, err := askFor[admin.Discarded](c, http.MethodDelete, uri, dryRun)
		if err != nil {
			return err
		}
		if err = c.confirmDiscard(counted(answer.WouldDiscard), destination); err != nil {
			return err
		}
	}
	return discardDead(c, uri, selection)
}

// discardOne discards the dead letters of an event.
func discardOne(c adminClient, uri string) error {
	if !c.flags.Bool("yes") {
		letters, err := askFor[[]queue.DeadLetter](c, http.MethodGet, uri, nil)
		if err != nil {
			return err
		}
		if err = c.confirmDiscard(int64(len(letters)), nil); err != nil {
			return err
		}
	}
	return discardDead(c, uri, nil)
}

// confirmDiscard asks if there are several dead letters to discard.
func (c adminClient) confirmDiscard(n int64, destination *string) error {
	if n <= 1 {
		return nil
	}
	question := "Discard " + count(n, "dead letter", "dead letters")
	if destination != nil {
		question += " of " + printable(*destination)
	}
	return confirm(c.in, c.notes, question+"?", "nothing was discarded")
}

func discardDead(c adminClient, uri string, selection any) error {
	return ask(c, http.MethodDelete, uri, selection, func(answer admin.Discarded) error {
		if answer.Discarded == 0 {
			return c.printf(noDead)
		}
		return c.printf("Discarded %s.", count(answer.Discarded, "dead letter", "dead letters"))
	})
}
