// Package command adds `caddy webhooks …` to Caddy's command line: one file for
// each command.
package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "webhooks",
		Usage: "<command>",
		Short: "Tries, explains and operates the webhooks directive",
		Long: `
Tries, explains and operates the webhooks directive.

Without a gateway:
  caddy webhooks demo           runs a gateway, a receiver and sample deliveries
  caddy webhooks providers      lists the providers, and what each needs
  caddy webhooks explain notifly --body FILE
                                shows what the gateway does with a payload
  caddy webhooks check          checks whether the queue is intact

With a running gateway:
  caddy webhooks send notifly --to URL --secret KEY
                                sends a signed sample
  caddy webhooks events         lists the events, and what became of them
  caddy webhooks event ID       shows one event, and all attempts to deliver it
  caddy webhooks tail           follows what happens, or hands events on with --to URL
  caddy webhooks refusals       lists the refused requests, and why
  caddy webhooks blocks         lists the blocks, and what each did last
  caddy webhooks destinations   lists the destinations, with their backlog
  caddy webhooks dead           lists the dead letters
  caddy webhooks replay --dead  delivers them again
  caddy webhooks pause|resume|forget NAME
                                controls one destination

At the providers, through their APIs:
  caddy webhooks subscriptions plan
                                shows what would change there; apply changes it`,
		CobraFunc: addCommands,
	})
}

// addCommands adds the commands below `caddy webhooks`.
func addCommands(cmd *cobra.Command) {
	cmd.AddCommand(demoCommand(), providersCommand(), sendCommand(), explainCommand())
	cmd.AddCommand(eventsCommand(), eventCommand(), tailCommand(), refusalsCommand(), blocksCommand())
	cmd.AddCommand(destinationsCommand(), deadCommand(), replayCommand(), pauseCommand(), resumeCommand(), forgetCommand())
	cmd.AddCommand(subscriptionsCommand(), checkCommand())
	needsCommand(cmd)
}

// needsCommand makes a command that only has others below it refuse any other
// word. Cobra would report the flags behind that word instead, or print the help.
func needsCommand(cmd *cobra.Command) {
	cmd.DisableFlagParsing = true
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 || args[0] == "-h" || args[0] == "--help" {
			return cmd.Help()
		}
		if strings.HasPrefix(args[0], "-") {
			return fmt.Errorf("flags belong behind a command; see %s --help", cmd.CommandPath())
		}
		for _, cmd.SuggestionsMinimumDistance = range []int{1, 2} {
			if closest := cmd.SuggestionsFor(args[0]); len(closest) > 0 {
				return fmt.Errorf("unknown command %q; did you mean %s?", args[0], strings.Join(closest, " or "))
			}
		}
		return fmt.Errorf("unknown command %q; see %s --help", args[0], cmd.CommandPath())
	}
}

// takesArgs returns a check of the number of arguments. Its error is the text: what the
// command takes, and where other values belong.
func takesArgs(least, most int, text string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return errors.New(text)
		}
		return nil
	}
}

// exitError returns what a command returns for an error.
func exitError(err error) (int, error) { return caddy.ExitCodeFailedStartup, err }
