package command

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/sample"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/ingress"
)

func sendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "send <provider> [<event>] --to <url> --secret|--token ...",
		Short: "Sends a signed sample to a gateway",
		Long: `
Sends a sample event of a provider, signed as the provider does, and prints the
answer, the id of the event, and what became of it. The exit status is 0 if a
webhooks block has answered 2xx.

  caddy webhooks send notifly message.created --to http://localhost:8080/notifly --secret {env.NOTIFLY_SECRET}
  caddy webhooks send notifly --new-id --to https://localhost/notifly --cacert root.crt --secret {env.NOTIFLY_SECRET}

Without an event, it sends the first sample. An unknown event lists all samples. A
sample has the same bytes each time: the gateway drops a second one as a duplicate,
and answers 2xx. With --new-id, it is another event.

A provider that signs with a private key has its public key in the block; --secret
takes the private key of a pair of your own. If the provider signs the URL, set --url
to the block's url wherever that is not the URL of --to.

  openssl genpkey -algorithm ed25519 -out test.pem
  caddy webhooks send discord --to http://localhost:8080/discord --secret {file./path/to/test.pem}
  caddy webhooks send twilio --to http://localhost:8080/twilio --url https://hooks.example.com/twilio --secret {env.TWILIO_AUTH_TOKEN}`,
		Args: takesArgs(1, 2, "send takes a provider and at most one event; \"caddy webhooks providers\" lists the providers"),
	}
	cmd.Flags().String("to", "", "The `url` of the block (required)")
	cmd.Flags().String("body", "", "Payload to send instead of a sample: a `file`, or - for standard input")
	cmd.Flags().Bool("new-id", false, "Give the event a new id, or a new member if its bytes identify it")
	cmd.Flags().String("cacert", "", "Trust the certificate authorities in this `file` in PEM, and no others")
	cmd.Flags().String("url", "", "The public `URL` of the block, for a provider that signs it (default that of --to)")
	addCredentialFlags(cmd, credentialUsage{
		secret: "The `key` to sign with, or for a provider with a public key, its private key in PEM (PKCS #8)",
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
	creds := readCredentials(fl)
	if creds.URL, err = readURL(fl, p); err != nil {
		return err
	}
	if err = errors.Join(resolveCredentials(&creds), creds.Missing(p)); err != nil {
		return err
	}
	r, err := readRequest(fl.String("body"), p.Name(), event)
	if err != nil {
		return err
	}
	r.Header = r.Header.Clone()
	if err = setHeaders(fl, r.Header); err != nil {
		return err
	}
	r.Header.Add("Prefer", ingress.ReceiptPreference)
	if fl.Bool("new-id") {
		if r, err = sample.Fresh(p, r); err != nil {
			return err
		}
	}
	roots, err := readRoots(fl)
	if err != nil {
		return err
	}
	answer, err := sample.Send(sample.NewClient(sample.Timeout, roots), fl.String("to"), p, creds, r, time.Now())
	if err != nil {
		return sendError(err)
	}
	fmt.Fprintln(w, printable(answer.Status))
	if isReceipt(answer) {
		fmt.Fprintln(w, printableLines(receiptText(answer, typesIn(p, r, fl.String("to")))))
	}
	if shown := creds.HideToken(answer.Body); len(shown) > 0 {
		fmt.Fprintln(w, printableLines(string(shown)))
	}
	return notAccepted(answer)
}

// readRoots reads --cacert; nil means the certificate authorities of the system.
func readRoots(fl caddycmd.Flags) (*x509.CertPool, error) {
	file := fl.String("cacert")
	if file == "" {
		return nil, nil
	}
	if !strings.HasPrefix(fl.String("to"), "https://") {
		return nil, errors.New("--cacert needs a URL that begins with https://")
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--cacert: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--cacert: no certificate in PEM in %s", file)
	}
	return roots, nil
}

// sendError returns the error for a request without an answer.
func sendError(err error) error {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%w; to trust another one, such as Caddy's own, set --cacert", err)
	}
	return err
}

// notAccepted returns an error for a status that is not 2xx, and for an answer that is
// not of a block. Caddy itself answers 404, or an empty 200, and logs nothing, if no
// block has the path.
func notAccepted(answer sample.Answer) error {
	switch {
	case isReceipt(answer):
		return nil
	case answer.Code >= 200 && answer.Code <= 299:
		return fmt.Errorf("%d, but not from a webhooks block: check the path of --to", answer.Code)
	case answer.Code == http.StatusNotFound:
		return errors.New("no webhooks block answered at this URL; check the path of --to")
	default:
		return errors.New("not accepted; see \"webhook refused\" in Caddy's log, or \"caddy webhooks refusals\"")
	}
}
