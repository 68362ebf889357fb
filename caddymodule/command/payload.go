package command

import (
	"io"
	"os"

	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// readPayload returns the payload for a command: that of a file, - for standard
// input, or a sample event, by default the provider's first.
func readPayload(file, providerName, event string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(os.Stdin)
	}
	if file != "" {
		return os.ReadFile(file)
	}
	if event == "" {
		if of, err := fixtures.Of(providerName); err == nil && len(of) > 0 {
			return of[0].Payload, nil
		}
	}
	f, err := fixtures.Get(providerName, event)
	return f.Payload, err
}
