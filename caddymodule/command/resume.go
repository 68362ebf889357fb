package command

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func resumeCommand() *cobra.Command {
	return overAdmin(&cobra.Command{
		Use:   "resume <name>",
		Short: "Resumes delivery to a paused destination of a running gateway",
		Long: `
Resumes delivery to a destination that "caddy webhooks pause" has stopped. Events
that wait for a retry are tried at once.

  caddy webhooks resume crm`,
		Args: takesArgs(1, 1, "resume takes one destination; \"caddy webhooks destinations\" lists them"),
	}, runResume)
}

func runResume(c adminClient, args []string) error {
	return ask(c, http.MethodPost, "/webhooks/resume/"+url.PathEscape(args[0]), nil, func(struct{}) error {
		return c.printf("Resumed %s.", args[0])
	})
}
