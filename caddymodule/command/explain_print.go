package command

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/diagnose"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/ingress"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

// explain runs the request through the handler, and prints the requests that it
// forwards, or its answer to a handshake.
func (e *explanation) explain() error {
	repl := caddy.NewReplacer()
	answer := httptest.NewRecorder()
	r := caddyhttp.PrepareRequest(e.request(), repl, answer, &caddyhttp.Server{})
	err := e.handler.ServeHTTP(answer, r, caddyhttp.HandlerFunc(e.showForwarded))
	var refused *ingress.Refusal
	if errors.As(err, &refused) {
		e.diagnose(refused)
		return refusedError(refused)
	}
	if err != nil {
		return err
	}
	if outcome, _ := repl.GetString("http.webhooks.outcome"); outcome == string(ingress.OutcomeHandshake) {
		e.showHandshake(answer)
	}
	return nil
}

// showForwarded prints a request that the application gets.
func (e *explanation) showForwarded(to http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.w, "Webhook-Id: %s\nContent-Type: %s\n\n%s\n\n", r.Header.Get("Webhook-Id"), r.Header.Get("Content-Type"), pretty(body))
	if r.Header.Get("Content-Type") == envelope.ContentType {
		repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		eventType, _ := repl.GetString("http.webhooks.type")
		e.showDestinations(eventType, body)
	}
	to.WriteHeader(http.StatusOK)
	return nil
}

// showDestinations prints which destinations of the block take an event.
func (e *explanation) showDestinations(eventType string, envelope []byte) {
	for _, d := range e.destinations {
		if condition := d.Refusal(eventType, envelope); condition != "" {
			fmt.Fprintf(e.w, "destination %s does not take it: %s\n", d.Name, printable(condition))
		} else {
			fmt.Fprintf(e.w, "destination %s takes it\n", d.Name)
		}
	}
	if len(e.destinations) > 0 {
		fmt.Fprintln(e.w)
	}
}

// credentials returns the secrets, or public keys, and tokens of the handler, resolved.
func (e *explanation) credentials() (secrets, tokens []string) {
	resolve := func(values []string) (resolved []string) {
		for _, value := range values {
			// The handler has resolved the same values.
			if text, err := webhooks.Resolve("secret", value); err == nil {
				resolved = append(resolved, text)
			}
		}
		return resolved
	}
	return resolve(slices.Concat(e.handler.Secrets, e.handler.PublicKeys)), resolve(e.handler.Tokens)
}

// diagnose prints what would have to be different for the proof to be right.
func (e *explanation) diagnose(refused *ingress.Refusal) {
	switch {
	case errors.Is(refused, verify.ErrStale):
		if !e.isAtSet {
			fmt.Fprintln(e.w, "The signature is right. For a recorded request, set --at to the time at which it arrived.")
		}
		return
	case !isUnauthorized(refused):
		return
	}
	secrets, tokens := e.credentials()
	causes := diagnose.Refused{
		Proof: e.provider.Spec().Verify, Secrets: secrets, Tokens: tokens,
		Body: e.recorded.Body, Request: e.proofRequest,
	}.Causes()
	for _, cause := range causes {
		fmt.Fprintln(e.w, printable(cause))
	}
	if len(causes) == 0 && errors.Is(refused, verify.ErrBad) && e.provider.Spec().Verify.SignsURL() {
		base, _, _ := strings.Cut(e.publicURL(), "?")
		fmt.Fprintf(e.w, "%s also signs the public URL. It was checked as %s; if that is wrong, set --url, or url in the block.\n", e.provider.Name(), printable(base))
	}
}

// refusedError returns the error for a refusal: its code, and its cause unless that
// repeats the code. The cause is as in Caddy's log.
func refusedError(refused *ingress.Refusal) error {
	code := string(refused.Reason)
	if refused.Err.Error() == strings.ReplaceAll(code, "_", " ") {
		return fmt.Errorf("refused with %d: %s", refused.Status, code)
	}
	return fmt.Errorf("refused with %d: %s: %w", refused.Status, code, refused.Err)
}

// isUnauthorized reports whether a request was refused because of its proof.
func isUnauthorized(err error) bool {
	return errors.Is(err, verify.ErrMissing) || errors.Is(err, verify.ErrBad) || errors.Is(err, verify.ErrStale)
}

// hasNoEvents reports whether the body has members, but no event of the provider.
func (e *explanation) hasNoEvents() bool {
	body := e.provider.NewPayload(e.recorded.Header.Get("Content-Type"), e.recorded.Body)
	payload, ok := body.JSON()
	if !ok {
		return false
	}
	_, err := e.provider.Split(payload)
	return errors.Is(err, provider.ErrNoEvent) && len(gjson.Parse(payload).Map()) > 0
}
