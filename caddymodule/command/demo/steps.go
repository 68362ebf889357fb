package demo

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/sample"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// step is something that happens, and its outcome in words if all is well.
type step struct {
	who     string // a provider, or a part of the demo
	name    string
	outcome string

	// do makes it happen, and returns what is wrong with the outcome, "" if all is
	// well. An error ends the demo.
	do func() (problem string, err error)
}

// request is a delivery, or a GET with a query, and the expected outcome.
type request struct {
	provider string
	path     string // of the URL
	recorded fixtures.Request
	query    url.Values    // of a GET; nil for a delivery
	at       time.Duration // of the signature, relative to now
	forge    bool          // with another secret

	status int
	answer string   // is part of the answer
	types  []string // of the envelopes that the receiver gets
}

// step returns the step that makes the request.
func (d *demo) step(name, outcome string, r request) step {
	if r.path == "" {
		r.path = r.provider
	}
	return step{who: r.provider, name: name, outcome: outcome, do: func() (string, error) { return d.try(r) }}
}

// try makes a request, and compares the outcome.
func (d *demo) try(r request) (problem string, err error) {
	got, err := d.send(r)
	if err != nil {
		return "", err
	}
	types, err := d.receiver.types()
	if err != nil {
		return err.Error(), nil
	}
	switch {
	case got.Code != r.status:
		return fmt.Sprintf("the answer is %d instead of %d", got.Code, r.status), nil
	case !strings.Contains(string(got.Body), r.answer):
		return "the answer has an unexpected body", nil
	case strings.Join(types, " ") != strings.Join(r.types, " "):
		return fmt.Sprintf("forwarded %q instead of %q", types, r.types), nil
	}
	return "", nil
}

func (d *demo) send(r request) (sample.Answer, error) {
	to, client := d.gateway.url+"/"+r.path, sample.NewClient(sample.Timeout, nil)
	if r.query != nil {
		get, err := http.NewRequest(http.MethodGet, to+"?"+r.query.Encode(), nil)
		if err != nil {
			return sample.Answer{}, err
		}
		return sample.Do(client, get)
	}
	p, err := provider.Find(r.provider, d.gateway.own)
	if err != nil {
		return sample.Answer{}, err
	}
	secret := d.gateway.secret
	if r.forge {
		secret = "not-" + secret
	}
	return sample.Send(client, to, p, sample.Credentials{Secret: secret, Token: secret}, r.recorded, time.Now().Add(r.at))
}

// directSteps returns the steps of events that are forwarded directly: the
// samples of each provider, then a duplicate, a forgery and a stale one.
func (d *demo) directSteps() []step {
	var samples, attacks []step
	for _, s := range d.gateway.samples {
		samples = append(samples, d.handshakes(s)...)
		samples = append(samples, d.step(s.events[0].name, d.outcome(s), d.first(s)))
	}
	samples = append(samples, d.step("reply.sent", "200, forwarded: a provider defined in the Caddyfile", acme("1", "reply.sent")))

	if s, ok := d.find(func(s providerSample) bool { return s.signs() && len(s.events) > 1 }); ok {
		repeat, forgery := d.first(s), d.first(s)
		repeat.types = nil
		forgery.recorded, forgery.forge, forgery.status, forgery.types = s.events[1].request, true, http.StatusUnauthorized, nil
		attacks = append(attacks,
			d.step("duplicate", "200, not forwarded again", repeat),
			d.step("forgery", "401, not forwarded", forgery))
	}
	if s, ok := d.find(func(s providerSample) bool { return s.provider.Spec().Reply.Answer }); ok {
		repeat := d.first(s)
		repeat.types = nil
		attacks = append(attacks, d.step("duplicate", "200 and the first answer, not forwarded again", repeat))
	}
	stale := acme("2", "reply.sent")
	stale.at, stale.status, stale.types = -time.Hour, http.StatusUnauthorized, nil
	return append(append(samples, attacks...), d.step("signed an hour ago", "401, not forwarded", stale))
}

// find returns the first provider that meets a condition.
func (d *demo) find(is func(providerSample) bool) (providerSample, bool) {
	for _, s := range d.gateway.samples {
		if is(s) {
			return s, true
		}
	}
	return providerSample{}, false
}

// handshakes returns the steps in which a provider tries its URL.
func (d *demo) handshakes(s providerSample) []step {
	const challenge = "a-challenge"
	var steps []step
	if parameter, token, ok := s.provider.Challenge(); ok {
		steps = append(steps, d.step("challenge", "200 and the challenge, not forwarded", request{
			provider: s.name, query: url.Values{parameter: {challenge}, token: {d.gateway.secret}},
			status: http.StatusOK, answer: challenge,
		}))
	}
	if s.provider.TakesEmpty() {
		steps = append(steps, d.step("no event in it", d.answered(s)+", not forwarded", request{
			provider: s.name, recorded: fixtures.Body([]byte("{}")), status: http.StatusOK, answer: d.answer(s),
		}))
	}
	return steps
}

// first returns the delivery of a provider's first sample.
func (d *demo) first(s providerSample) request {
	event := s.events[0]
	r := request{provider: s.name, recorded: event.request, status: http.StatusOK, answer: d.answer(s), types: event.types}
	if s.provider.Spec().Reply.Answer {
		r.answer = answer
	}
	return r
}

// outcome returns the outcome of a provider's first sample, in words.
func (d *demo) outcome(s providerSample) string {
	if s.provider.Spec().Reply.Answer {
		return "200 and the receiver's own answer"
	}
	outcome := d.answered(s) + ", forwarded as " + counted(s.events[0].types)
	if len(s.provider.Spec().Redactions) > 0 {
		outcome += ", redacted"
	}
	return outcome
}

// counted returns types, each with the number of times that it is there if these are
// several.
func counted(types []string) string {
	var texts []string
	for i, t := range types {
		if slices.Contains(types[:i], t) {
			continue
		}
		n := 0
		for _, other := range types {
			if other == t {
				n++
			}
		}
		if n > 1 {
			t = fmt.Sprintf("%d %s", n, t)
		}
		texts = append(texts, t)
	}
	return strings.Join(texts, " and ")
}

// answer returns what the answer of the gateway to a provider contains.
func (d *demo) answer(s providerSample) string {
	if s.provider.Spec().Reply.Token {
		return d.gateway.secret
	}
	return ""
}

// answered describes the answer of the gateway to a provider.
func (d *demo) answered(s providerSample) string {
	if s.provider.Spec().Reply.Token {
		return "200 and its token"
	}
	return "200"
}

// acmeTypes maps the types of acme, the provider that demo.caddyfile defines.
var acmeTypes = map[string]string{"ticket.opened": "conversation.created", "reply.sent": "message.created"}

// acme returns a delivery of acme.
func acme(id, eventType string) request {
	body := fmt.Sprintf(`{"delivery_id":%q,"event":%q,"occurred_at":"2026-11-20T12:00:00Z","ticket":{"id":7},"reply":{"text":"On its way."}}`, id, eventType)
	return request{provider: "acme", recorded: fixtures.Body([]byte(body)), status: http.StatusOK, types: []string{acmeTypes[eventType]}}
}
