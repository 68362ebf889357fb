package command

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/demo"
)

func demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Runs a gateway, a receiver and sample deliveries on this machine",
		Long: `
Runs a gateway and a receiver on loopback, sends the gateway a signed delivery of
several providers, a duplicate, a forgery and a stale one, and prints what becomes of
each. Then the receiver goes down, three events arrive, the gateway restarts, and
the receiver comes back. The exit status is 0 if all steps pass.

With --keep, gateway and receiver keep running until you interrupt the command,
and it prints a command that sends more.`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolP("verbose", "v", false, "Print the envelopes that the receiver gets")
	cmd.Flags().Bool("keep", false, "Keep running after the last step")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			options := demo.Options{Verbose: fl.Bool("verbose"), Keep: fl.Bool("keep")}
			if err := demo.Run(cmd.OutOrStdout(), options); err != nil {
				return exitError(err)
			}
			return 0, nil
		})(cmd, args)
	}
	return cmd
}
