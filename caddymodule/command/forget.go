package command

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
)

func forgetCommand() *cobra.Command {
	return overAdmin(&cobra.Command{
		Use:   "forget <name>",
		Short: "Discards what waits for a destination that has left the configuration",
		Args:  cobra.ExactArgs(1),
	}, runForget)
}

func runForget(c adminClient, args []string) error {
	return ask(c, http.MethodPost, "/webhooks/forget/"+url.PathEscape(args[0]), nil, func(answer admin.Discarded) error {
		return c.say("Forgot %s, and discarded %s that it still had.", args[0], count(answer.Discarded, "event", "events"))
	})
}
