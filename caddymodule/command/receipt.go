package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/sample"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/ingress"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// isReceipt reports whether a block has answered, with 2xx, and with a receipt.
func isReceipt(answer sample.Answer) bool {
	return slices.Contains(answer.Header.Values(ingress.HeaderPreferenceApplied), ingress.ReceiptPreference)
}

// receiptText describes a receipt.
func receiptText(answer sample.Answer, types []string) string {
	outcome := answer.Header.Get(ingress.HeaderOutcome)
	if outcome == "handshake" {
		return "handshake: the gateway answered itself, and forwarded nothing"
	}
	text := fmt.Sprintf("%s: %s %s", outcome, strings.Join(types, ""), answer.Header.Get(ingress.HeaderID))
	if n := len(types); n > 1 {
		slices.Sort(types)
		text = fmt.Sprintf("%s: %d events (%s), the first is %s", outcome, n, strings.Join(slices.Compact(types), ", "), answer.Header.Get(ingress.HeaderID))
	}
	switch outcome {
	case "duplicate":
		text += "\nThe gateway has this event already; to send another one, use --new-id."
	case "unrouted":
		text += "\nIt is stored, but no destination takes it."
	}
	return text
}

// typesIn returns the type of each event in a request to a URL, as in its envelope.
func typesIn(p *provider.Provider, r fixtures.Request, to string) []string {
	request, err := sample.RequestTo(to, p, r)
	if err != nil {
		return nil // it could not be sent
	}
	payload, ok := request.JSON()
	if !ok {
		return nil // a handshake
	}
	events, err := p.Split(payload)
	if err != nil {
		return nil // a handshake
	}
	var types []string
	for _, event := range events {
		types = append(types, p.Read(event, request).Type)
	}
	return types
}
