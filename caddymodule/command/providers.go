package command

import (
	"io"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

func providersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "providers [<name>|<word>] [--json]",
		Short: "Lists the providers, or shows one: what it needs, and its events",
		Long: `
Lists the providers by group, or those with a word in their name, group, note or event
types; or shows one: the credentials that it needs, how it proves its requests, and
its event types.

  caddy webhooks providers
  caddy webhooks providers pay
  caddy webhooks providers notifly

TESTED is what the tests check the proof with: an example that the vendor publishes
(vector), the vendor's own library (library), or a second implementation made from the
vendor's page (page). With --json, it prints the whole description of each, a line each.`,
		Args: takesArgs(0, 1, "providers takes at most one name or word"),
	}
	cmd.Flags().Bool("json", false, "Print the description of each provider as JSON")
	addConfigFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			if err := runProviders(cmd.OutOrStdout(), fl, args); err != nil {
				return exitError(err)
			}
			return 0, nil
		})(cmd, args)
	}
	return cmd
}

// runProviders lists all providers, those with a word, or shows the one of that name.
func runProviders(w io.Writer, fl caddycmd.Flags, args []string) error {
	own, err := ownProviders(fl)
	if err != nil {
		return err
	}
	selected := allProviders(own)
	if len(args) > 0 {
		p, _, unknown := findProvider(fl, args[0])
		switch {
		case unknown != nil:
			if selected = searchProviders(selected, args[0]); len(selected) == 0 {
				return unknown
			}
		case fl.Bool("json"):
			selected = []*provider.Provider{p}
		default:
			return showProvider(w, p)
		}
	}
	if fl.Bool("json") {
		return writeProviders(w, selected)
	}
	return listProviders(w, screenOf(w), selected)
}
