package command

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// samplePayload returns the payload for a command: a file, or a sample event.
func samplePayload(file, providerName, event string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(os.Stdin)
	}
	if file != "" {
		return os.ReadFile(file)
	}
	if event == "" {
		of, err := fixtures.Of(providerName)
		if err != nil || len(of) == 0 {
			_, err = fixtures.Get(providerName, event)
			return nil, err
		}
		event = of[0].Event
	}
	f, err := fixtures.Get(providerName, event)
	return f.Payload, err
}

// sendTimeout bounds one sample delivery.
const sendTimeout = 30 * time.Second

// maxShownAnswer is how much of an answer is shown, in bytes.
const maxShownAnswer = 4 << 10

// answered is what came back.
type answered struct {
	code   int
	status string
	body   []byte
}

// send posts one delivery of a provider.
func send(url string, p *provider.Provider, creds credentials, body []byte, at time.Time) (answered, error) {
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return answered{}, withoutURL(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if err := creds.prove(r, p, body, at); err != nil {
		return answered{}, err
	}
	return do(r)
}

// do makes a request and reads what is shown of the answer.
func do(r *http.Request) (answered, error) {
	client := &http.Client{
		Timeout:       sendTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(r)
	if err != nil {
		return answered{}, withoutURL(err)
	}
	defer response.Body.Close()
	shown, err := io.ReadAll(io.LimitReader(response.Body, maxShownAnswer))
	return answered{response.StatusCode, response.Status, shown}, err
}

// withoutURL drops the URL from an error: it may hold a token.
func withoutURL(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
