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
		Short: "Discards the backlog of a destination that is not in the configuration",
		Long: `
Discards the backlog and the dead letters of a destination that is not in the
configuration of any gateway on the queue, and its name.

  caddy webhooks forget crm`,
		Args: takesArgs(1, 1, "forget takes one destination; \"caddy webhooks destinations\" lists them"),
	}, runForget)
}

func runForget(c adminClient, args []string) error {
	return ask(c, http.MethodPost, "/webhooks/forget/"+url.PathEscape(args[0]), nil, func(answer admin.Discarded) error {
		return c.printf("Forgot %s and discarded its %s.", args[0], count(answer.Discarded, "remaining event", "remaining events"))
	})
}
