package command

import (
	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "webhooks",
		Usage: "<command>",
		Short: "Shows, tries and explains what the webhooks directive does",
		Long: `
Shows, tries and explains what the webhooks directive does.

  caddy webhooks demo                   the whole way on this machine, in one command
  caddy webhooks providers              who can send, and what each needs
  caddy webhooks send notifly --to URL  a signed sample, to try a config
  caddy webhooks explain notifly --body FILE
                                        what becomes of a payload, offline
  caddy webhooks subscriptions plan     what would change at the providers, by
                                        their own APIs; apply makes it so
  caddy webhooks destinations           what waits for each, and who works it
  caddy webhooks dead                   what a destination did not take, and why
  caddy webhooks replay --dead          to deliver it again
  caddy webhooks pause|resume|forget NAME
                                        a destination, by hand
  caddy webhooks check                  whether the queue is intact`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.AddCommand(demoCommand(), providersCommand(), sendCommand(), explainCommand())
			cmd.AddCommand(destinationsCommand(), deadCommand(), replayCommand(), pauseCommand(), resumeCommand(), forgetCommand())
			cmd.AddCommand(subscriptionsCommand(), checkCommand())
		},
	})
}

// exitError returns what a command returns for an error.
func exitError(err error) (int, error) { return caddy.ExitCodeFailedStartup, err }
