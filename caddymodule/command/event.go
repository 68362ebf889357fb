package command

import (
	"errors"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/sample"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

func eventCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "event <msg_...> [--envelope | --original | --curl]",
		Short: "Shows an event of a running gateway, and all attempts to deliver it",
		Long: `
Shows everything that is known about one event: its attributes, the request that
brought it without credentials, the attempts at each destination, and the envelope.
An id is the webhook-id of a request; in Caddy's logs it is
{http.webhooks.message_id}.

  caddy webhooks event msg_qmg34d6hl7ceiilpask66mlmymhvjw2m
  caddy webhooks event msg_qmg34d6hl7ceiilpask66mlmymhvjw2m --original > payload.json
  caddy webhooks event msg_qmg34d6hl7ceiilpask66mlmymhvjw2m --curl --to http://localhost:3000/ | sh

--envelope and --original print these bytes and nothing else. --curl prints a shell
command that sends the envelope to an application. It is not signed.`,
		Args: takesArgs(1, 1, "event takes one id; \"caddy webhooks events\" lists them"),
	}
	cmd.Flags().Bool("envelope", false, "Print the envelope, byte for byte")
	cmd.Flags().Bool("original", false, "Print the provider's own bytes")
	cmd.Flags().Bool("curl", false, "Print a shell command that sends the envelope to --to")
	cmd.Flags().String("to", defaultTo, "With --curl: the `url` of the application")
	return overAdmin(cmd, runEvent)
}

// defaultTo is the application in a command of --curl.
const defaultTo = "http://localhost:3000/"

func runEvent(c adminClient, args []string) error {
	key, err := envelope.ParseKey(args[0])
	if err != nil {
		return err
	}
	var forms []string
	for _, name := range []string{"envelope", "original", "curl", "json"} {
		if c.flags.Bool(name) {
			forms = append(forms, name)
		}
	}
	switch {
	case len(forms) > 1:
		return errors.New("use only one of --envelope, --original, --curl and --json")
	case c.flags.Changed("to") && !c.flags.Bool("curl"):
		return errors.New("--to needs --curl")
	}
	uri := "/webhooks/events/" + key.String()
	switch {
	case c.flags.Bool("envelope"), c.flags.Bool("original"):
		return c.copyAnswer(uri + "/" + forms[0])
	case c.flags.Bool("curl"):
		if err = sample.CheckURL(c.flags.String("to")); err != nil {
			return err
		}
		body, err := c.request(http.MethodGet, uri+"/envelope", nil)
		if err != nil {
			return err
		}
		return c.printf("%s", curlCommand(c.flags.String("to"), key.String(), body))
	}
	return ask(c, http.MethodGet, uri, nil, func(event journal.History) error {
		return printEvent(c, event, time.Now())
	})
}

// copyAnswer prints an answer byte for byte.
func (c adminClient) copyAnswer(uri string) error {
	answer, err := c.request(http.MethodGet, uri, nil)
	if err != nil {
		return err
	}
	_, err = c.w.Write(answer)
	return err
}
