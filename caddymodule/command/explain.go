package command

import (
	"fmt"
	"io"
	"net/url"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

func explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain <provider> --request|--body <file> [--config <file>] ...",
		Short: "Shows, offline, the envelopes of a request, or why it is refused",
		Long: `
Shows, offline, the request that the application gets for each event in a request of
a provider, or why the gateway refuses it. The exit status is 0 if it is accepted.

  caddy webhooks explain notifly --body payload.json
  caddy webhooks explain github --request recorded.http --config Caddyfile --at 2026-11-20T12:00:00Z

A file for --request holds the request line, the headers, an empty line, and the body
to the end of the file. With --config, the request is checked with the credentials of
the block of this provider, and each event is shown with the destinations that take
it. With --secret, --public-key, --token or --basic-auth, it is checked with these
instead. With neither, credentials are not checked. For a proof that is wrong, explain
tries other forms of the body and of the secret, and prints which would be right.`,
		Args: takesArgs(1, 1, "explain takes one provider; give the request with --request, or its body with --body"),
	}
	cmd.Flags().String("request", "", "Recorded request: a `file`, or - for standard input")
	cmd.Flags().String("body", "", "Body of a POST: a `file`, or - for standard input")
	cmd.Flags().String("query", "", "Query of the POST with --body, as a=b&c=d")
	cmd.Flags().String("public-key", "", "The public `key` to check the signature with, as in the block's public_key; may be {env.NAME} or {file./path}")
	cmd.Flags().String("url", "", "The public `URL` of the block, for a provider that signs it (default the block's url, or Host and path of the request)")
	cmd.Flags().String("at", "", "When the request arrives: a `time` in RFC 3339 or in Unix seconds (default now)")
	cmd.Flags().String("source", "", "Source of the events, as in the block's source; selects one of several blocks")
	cmd.Flags().String("format", "", "cloudevents or original, as in the block's format")
	addCredentialFlags(cmd, credentialUsage{
		secret: "The `key` to check the signature with",
		token:  "The `token` to check for",
		header: "Header of the request",
	})
	addConfigFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			e := explanation{w: cmd.OutOrStdout(), notes: cmd.ErrOrStderr()}
			if err := e.prepare(fl, args[0]); err != nil {
				return exitError(err)
			}
			if err := e.print(); err != nil {
				return exitError(err)
			}
			return 0, nil
		})(cmd, args)
	}
	return cmd
}

// explanation is one run of the command.
type explanation struct {
	w, notes io.Writer

	provider     *provider.Provider
	handler      *webhooks.Handler
	destinations []*webhooks.Destination // of the block, if there is one

	recorded fixtures.Request
	url      *url.URL // its target
	public   string   // the block's URL, resolved; "" for that of the request
	at       time.Time
	isAtSet  bool // by --at
}

// prepare reads what the flags give.
func (e *explanation) prepare(fl caddycmd.Flags, name string) error {
	p, own, err := findProvider(fl, name)
	if err != nil {
		return err
	}
	e.provider = p
	if err = e.read(fl); err != nil {
		return err
	}
	if err = e.readTime(fl.String("at")); err != nil {
		return err
	}
	if err = e.makeHandler(fl); err != nil {
		return err
	}
	return e.handler.ProvisionAlone(own, func() time.Time { return e.at })
}

// print runs the request through the handler, and prints the result.
func (e *explanation) print() error {
	err := e.explain()
	if err == nil && e.handler.Unverified {
		fmt.Fprintln(e.notes, "Credentials are not checked; to check them, pass --secret, --public-key, --token or --basic-auth, or --request with --config.")
	}
	if !isUnauthorized(err) && e.hasNoEvents() {
		fmt.Fprintf(e.notes, "no %s events found; wrong provider?\n", e.provider.Name())
	}
	return err
}
