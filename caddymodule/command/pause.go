package command

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func pauseCommand() *cobra.Command {
	return overAdmin(&cobra.Command{
		Use:   "pause <name>",
		Short: "Keeps a running gateway from delivering to a destination; its events wait",
		Args:  cobra.ExactArgs(1),
	}, runPause)
}

func runPause(c adminClient, args []string) error {
	return ask(c, http.MethodPost, "/webhooks/pause/"+url.PathEscape(args[0]), nil, func(struct{}) error {
		return c.say("Paused %s; its events wait until \"caddy webhooks resume %[1]s\".", args[0])
	})
}
