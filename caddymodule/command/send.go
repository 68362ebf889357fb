package command

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/sample"
)

func sendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "send <provider> [<event>] --to <url> --secret|--token ...",
		Short: "Sends a signed sample to a gateway",
		Long: `
Sends a sample event of a provider, signed as the provider does, and prints the
answer. The exit status is 0 for a 2xx answer.

  caddy webhooks send notifly message.created --to http://localhost:8080/notifly --secret {env.NOTIFLY_SECRET}

Without an event, it sends the first sample. An unknown event lists all samples. A
sample has the same bytes each time: the gateway drops a second one as a duplicate,
and answers 2xx.`,
		Args: takesArgs(1, 2, "send takes a provider and at most one event; \"caddy webhooks providers\" lists the providers"),
	}
	cmd.Flags().String("to", "", "The `url` of the block (required)")
	cmd.Flags().String("body", "", "Payload to send instead of a sample: a `file`, or - for standard input")
	addCredentialFlags(cmd, credentialUsage{
		secret: "The `key` to sign with",
		token:  "The `token` to present",
		header: "Header to add",
	})
	addConfigFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			if err := runSend(cmd.OutOrStdout(), fl, args); err != nil {
				return exitError(err)
			}
			return 0, nil
		})(cmd, args)
	}
	return cmd
}

func runSend(w io.Writer, fl caddycmd.Flags, args []string) error {
	p, _, err := findProvider(fl, args[0])
	if err != nil {
		return err
	}
	event := ""
	if len(args) == 2 {
		event = args[1]
	}
	if fl.String("to") == "" {
		return errors.New("--to is required: the URL of the block")
	}
	if err = sample.CheckURL(fl.String("to")); err != nil {
		return err
	}
	creds, err := readCredentials(fl)
	if err != nil {
		return err
	}
	if err = errors.Join(resolveCredentials(&creds), creds.Missing(p)); err != nil {
		return err
	}
	body, err := readPayload(fl.String("body"), p.Name(), event)
	if err != nil {
		return err
	}
	response, err := sample.Send(sample.NewClient(sample.Timeout, nil), fl.String("to"), p, creds, body, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s\n", response.Status)
	if shown := creds.HideToken(response.Body); len(shown) > 0 {
		fmt.Fprintf(w, "%s\n", shown)
	}
	return notAccepted(response.Code)
}

// notAccepted returns an error for a status that is not 2xx. Caddy itself answers 404,
// and logs nothing, if no block has the path.
func notAccepted(status int) error {
	switch {
	case status >= 200 && status <= 299:
		return nil
	case status == http.StatusNotFound:
		return errors.New("no webhooks block answered at this URL; check the path of --to")
	default:
		return errors.New("not accepted; see \"webhook refused\" in Caddy's log")
	}
}
