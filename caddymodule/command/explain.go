package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/sample"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/ingress"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

func explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain <provider> --body <file> [-H ...]",
		Short: "Shows, offline, the envelopes of a payload, or why it is refused",
		Long: `
Shows, offline, the request that the application gets for each event in a payload,
or why the gateway refuses it. The exit status is 0 if it is accepted.

  caddy webhooks explain notifly --body payload.json

With --secret, --token or --basic-auth, the credentials in the headers of -H and in
--query are checked, as by a block with these. Without, they are not.`,
		Args: takesArgs(1, 1, "explain takes one provider; give the payload with --body"),
	}
	cmd.Flags().String("body", "", "Payload: a `file`, or - for standard input (required)")
	cmd.Flags().String("query", "", "Query of the request, as a=b&c=d")
	cmd.Flags().String("source", "", "Source of the events, as in the block's source")
	cmd.Flags().String("format", "", "cloudevents or original, as in the block's format")
	addCredentialFlags(cmd, credentialUsage{
		secret: "The `key` to check the signature with",
		token:  "The `token` to check for",
		header: "Header of the request",
	})
	addConfigFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			if err := runExplain(cmd.OutOrStdout(), cmd.ErrOrStderr(), fl, args[0]); err != nil {
				return exitError(err)
			}
			return 0, nil
		})(cmd, args)
	}
	return cmd
}

func runExplain(w, notes io.Writer, fl caddycmd.Flags, name string) error {
	if fl.String("body") == "" {
		return errors.New("--body is required: the file with the payload, or - for standard input")
	}
	p, own, err := findProvider(fl, name)
	if err != nil {
		return err
	}
	creds := readCredentials(fl)
	body, err := readFile(fl.String("body"))
	if err != nil {
		return err
	}
	h := &webhooks.Handler{
		Provider: name,
		Source:   fl.String("source"),
		Format:   fl.String("format"),
		Dedup:    &webhooks.Dedup{Off: true},
		MaxBody:  max(int64(len(body)), webhooks.DefaultMaxBody),
	}
	if err = expect(h, creds); err != nil {
		return err
	}
	if err = h.ProvisionAlone(own); err != nil {
		return err
	}
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.URL.RawQuery = fl.String("query")
	r.RequestURI = r.URL.RequestURI()
	if err = setHeaders(fl, r.Header); err != nil {
		return err
	}
	err = explain(h, w, r)
	if err == nil && h.Unverified {
		fmt.Fprintln(notes, "Credentials are not checked; to check them, pass --secret, --token or --basic-auth.")
	}
	if hasNoEvents(p, body) {
		fmt.Fprintf(notes, "no %s events found; wrong provider?\n", p.Name())
	}
	return err
}

// expect makes the handler check the credentials that are given, if any.
func expect(h *webhooks.Handler, creds sample.Credentials) error {
	if creds.Secret != "" {
		h.Secrets = []string{creds.Secret}
	}
	if creds.Token != "" {
		h.Tokens = []string{creds.Token}
	}
	if creds.BasicAuth != "" {
		resolved, err := webhooks.Resolve("--basic-auth", creds.BasicAuth)
		if err != nil {
			return err
		}
		username, password, err := sample.Credentials{BasicAuth: resolved}.SplitBasicAuth()
		if err != nil {
			return err
		}
		literal := strings.NewReplacer("{", `\{`, "}", `\}`) // it is resolved again
		h.BasicAuth = &webhooks.BasicAuth{Username: literal.Replace(username), Password: literal.Replace(password)}
	}
	h.Unverified = h.Secrets == nil && h.Tokens == nil && h.BasicAuth == nil
	return nil
}

// hasNoEvents reports whether a payload has members, but no event of the provider.
func hasNoEvents(p *provider.Provider, body []byte) bool {
	_, err := p.Split(string(body))
	return errors.Is(err, provider.ErrNoEvent) && len(gjson.ParseBytes(body).Map()) > 0
}

// refusedError returns the error for a refusal: its code, and its text unless that
// repeats the code.
func refusedError(refused *ingress.Refusal) error {
	code := string(refused.Reason)
	if refused.Err.Error() == strings.ReplaceAll(code, "_", " ") {
		return fmt.Errorf("refused with %d: %s", refused.Status, code)
	}
	return fmt.Errorf("refused with %d: %w", refused.Status, refused)
}

// explain runs one request through the handler, and prints the requests that it
// forwards.
func explain(h *webhooks.Handler, w io.Writer, r *http.Request) error {
	repl := caddy.NewReplacer()
	answer := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, repl, answer, &caddyhttp.Server{})
	err := h.ServeHTTP(answer, r, caddyhttp.HandlerFunc(func(to http.ResponseWriter, r *http.Request) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "Webhook-Id: %s\nContent-Type: %s\n\n%s\n\n", r.Header.Get("Webhook-Id"), r.Header.Get("Content-Type"), pretty(body))
		to.WriteHeader(http.StatusOK)
		return nil
	}))
	var refused *ingress.Refusal
	if errors.As(err, &refused) {
		return refusedError(refused)
	}
	if err != nil {
		return err
	}
	if outcome, _ := repl.GetString("http.webhooks.outcome"); outcome == string(ingress.OutcomeHandshake) {
		fmt.Fprintf(w, "A handshake: the gateway answers %d and forwards nothing.\n", answer.Code)
	}
	return nil
}
