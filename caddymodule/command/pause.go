package command

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func pauseCommand() *cobra.Command {
	return overAdmin(&cobra.Command{
		Use:   "pause <name>",
		Short: "Stops delivery to a destination of a running gateway",
		Long: `
Stops delivery to a destination until "caddy webhooks resume", across restarts;
its events queue up.

  caddy webhooks pause crm`,
		Args: takesArgs(1, 1, "pause takes one destination; \"caddy webhooks destinations\" lists them"),
	}, runPause)
}

func runPause(c adminClient, args []string) error {
	return ask(c, http.MethodPost, "/webhooks/pause/"+url.PathEscape(args[0]), nil, func(struct{}) error {
		return c.printf("Paused %s until \"caddy webhooks resume %[1]s\".", args[0])
	})
}
