package command

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func resumeCommand() *cobra.Command {
	return overAdmin(&cobra.Command{
		Use:   "resume <name>",
		Short: "Lets a running gateway deliver to a paused destination again",
		Args:  cobra.ExactArgs(1),
	}, runResume)
}

func runResume(c adminClient, args []string) error {
	return ask(c, http.MethodPost, "/webhooks/resume/"+url.PathEscape(args[0]), nil, func(struct{}) error {
		return c.say("Resumed %s.", args[0])
	})
}
