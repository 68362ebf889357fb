package command

import (
	"io"
	"os"

	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// readRequest returns the request for a command: with the body in a file, - for
// standard input, or a sample event, by default the provider's first.
func readRequest(file, providerName, event string) (fixtures.Request, error) {
	if file != "" {
		body, err := readFile(file)
		return fixtures.Body(body), err
	}
	if event == "" {
		if of, err := fixtures.Of(providerName); err == nil && len(of) > 0 {
			return of[0].Request, nil
		}
	}
	f, err := fixtures.Get(providerName, event)
	return f.Request, err
}

// readFile reads a file, - for standard input.
func readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}
