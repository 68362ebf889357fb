package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/sample"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

// handOn hands events on to an application.
type handOn struct {
	c      adminClient
	to     *url.URL
	signer *envelope.Signer // nil: requests are not signed
	client *http.Client
	done   *lru.Cache[string, struct{}] // the ids of events that were handed on
}

// maxHandedOn is the number of events that are remembered, so that none is handed on
// twice.
const maxHandedOn = 10_000

// newHandOn returns a handOn for the flags of tail.
func newHandOn(c adminClient) (*handOn, error) {
	if err := sample.CheckURL(c.flags.String("to")); err != nil {
		return nil, err
	}
	if state := c.flags.String("state"); c.flags.Changed("destination") || state != "" && state != string(queue.StateUnrouted) {
		return nil, errors.New("--destination and --state select attempts, and --to hands on events; leave them out, or use other filters, such as --type")
	}
	to, err := url.Parse(c.flags.String("to"))
	if err != nil {
		return nil, err
	}
	timeout := c.flags.Duration("timeout")
	if timeout <= 0 {
		return nil, errors.New("--timeout must be above 0, such as 30s")
	}
	keys, err := c.flags.GetStringArray("sign")
	if err != nil {
		return nil, err
	}
	for i := range keys {
		if keys[i], err = webhooks.Resolve("--sign", keys[i]); err != nil {
			return nil, err
		}
	}
	signer, err := envelope.NewSigner(keys)
	if err != nil {
		return nil, fmt.Errorf("--sign: %w", err)
	}
	done, err := lru.New[string, struct{}](maxHandedOn)
	return &handOn{c, to, signer, sample.NewClient(timeout, nil), done}, err
}

// take hands on the event of a message, if it is a new one.
func (h *handOn) take(ctx context.Context, m message) error {
	var line journal.Line
	if err := json.Unmarshal(m.data, &line); err != nil {
		return fmt.Errorf("the live feed of the admin API: %w", err)
	}
	e := line.Event
	if e == nil || e.Outcome == "duplicate" || e.Outcome == "queue_unavailable" || h.done.Contains(e.ID) {
		return nil
	}
	r, err := h.request(ctx, e.ID)
	if err != nil {
		return h.print(handed{Event: e, Error: "not handed on: " + err.Error()}) // it may come again
	}
	h.done.Add(e.ID, struct{}{})
	begin := time.Now()
	response, err := sample.Do(h.client, r)
	if ctx.Err() != nil {
		return nil
	}
	result := handed{Event: e, Status: response.Code, TookMS: float64(time.Since(begin).Microseconds()) / 1000}
	if err != nil {
		result.Error = fmt.Sprintf("no answer in %s: %v", tookText(result.TookMS), err)
	} else if response.Code < 200 || response.Code > 299 {
		result.Answer = string(response.Body)
	}
	return h.print(result)
}

// request returns the request with an event, as the gateway would make it.
func (h *handOn) request(ctx context.Context, id string) (*http.Request, error) {
	uri := "/webhooks/events/" + url.PathEscape(id)
	answer, err := h.c.request(http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	var e journal.History
	if err = json.Unmarshal(answer, &e); err != nil {
		return nil, h.c.notAdmin()
	}
	form, isEnvelope := "/envelope", len(e.Envelope) > 0
	if !isEnvelope {
		form = "/original" // of a batch that is delivered as it came
	}
	body, err := h.c.request(http.MethodGet, uri+form, nil)
	if err != nil {
		return nil, err
	}
	method, header := http.MethodPost, make(http.Header)
	if e.Request != nil {
		method, header = e.Request.Method, e.Request.Header.Clone()
	}
	r, err := http.NewRequestWithContext(ctx, method, h.to.String(), nil)
	if err != nil {
		return nil, err
	}
	if header != nil {
		r.Header = header
	}
	if isEnvelope {
		envelope.SetEnvelope(r, body)
	} else {
		envelope.SetBody(r, body)
	}
	h.signer.SetHeaders(r.Header, id, time.Now(), body)
	r.Header.Set("Webhook-Attempt", "1")
	r.Header.Del("Accept-Encoding") // people read the answer, not the provider
	return r, nil
}

// handed is the result of handing on an event.
type handed struct {
	Event  *journal.EventLine `json:"event"`
	Status int                `json:"status,omitempty"`
	TookMS float64            `json:"took_ms,omitempty"`
	Error  string             `json:"error,omitempty"`
	Answer string             `json:"answer,omitempty"` // if it is not 2xx
}

// print prints the result of handing on an event.
func (h *handOn) print(result handed) error {
	if h.c.flags.Bool("json") {
		encoded, err := json.Marshal(result)
		if err != nil {
			return err
		}
		return h.c.printf("%s", printable(string(encoded)))
	}
	return h.c.printf("%s", handedLine(result, h.c.screen, time.Now()))
}

// handedLine returns the line for an event that was handed on.
func handedLine(result handed, to screen, now time.Time) string {
	outcome := styled{text: fmt.Sprintf("%d in %s", result.Status, tookText(result.TookMS))}
	if result.Error != "" {
		outcome = styled{result.Error, red}
	} else if result.Status < 200 || result.Status > 299 {
		outcome.style = yellow
	}
	e := result.Event
	return fitted(to, e.Received.In(now.Location()), "handed", e.ID, outcome, e.Type, e.Provider, e.Subject, result.Answer)
}
