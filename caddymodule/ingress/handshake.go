package ingress

import (
	"errors"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// A handshake is a request by which the provider tries the URL. The gateway answers it;
// no handler gets it.

// tryURL answers a GET or HEAD, which can only be a handshake.
func (x *exchange) tryURL() error {
	var first error
	for _, h := range x.rc.Provider.Handshakes(x.r.Method) {
		err := x.proveHandshake(h)
		if err == nil {
			if answer, ok := h.Answer(x.request(), x.sign); ok {
				return x.answer(outcomeHandshake, answer)
			}
			err = fmt.Errorf("%w: the request does not meet a condition, or lacks a part of the answer, or has it more than once", provider.ErrNoChallenge)
		}
		// The other cause is for a request that proved nothing.
		if first == nil || errors.Is(err, provider.ErrNoChallenge) {
			first = err
		}
	}
	return first
}

// proveHandshake proves who sent a GET or HEAD. An unproved one may have any credential
// but a wrong one.
func (x *exchange) proveHandshake(h *provider.Responder) error {
	switch {
	case h.Token() != "":
		return x.verify(x.rc.Challengers[h.Token()])
	case h.Unproved():
		_, err := x.rc.Verifier.Verify(x.request())
		if errors.Is(err, verify.ErrMissing) {
			return nil
		}
		return err
	}
	return x.verify(x.rc.Verifier)
}

// unlessUnproved answers a POST that the provider cannot prove. It returns the error of
// the proof for any other: also for one with a wrong credential.
func (x *exchange) unlessUnproved(err error) error {
	if !errors.Is(err, verify.ErrMissing) || x.rc.Verifier.Presented(x.request()) {
		return err
	}
	answer, ok := x.posted(true)
	if !ok {
		return err
	}
	return x.answer(outcomeHandshake, answer)
}

// handshake answers a proved POST by which the provider tries the URL, and reports
// whether it was one. A body that is not JSON is refused here.
func (x *exchange) handshake() (answered bool, err error) {
	answer, ok := x.posted(false)
	if !ok && len(x.rc.Verifier) == 0 { // nothing is proved here
		answer, ok = x.posted(true)
	}
	if ok {
		return true, x.answer(outcomeHandshake, answer)
	}
	if err := x.payload.Check(); err != nil {
		if x.rc.Provider.TakesEmpty() && errors.Is(err, envelope.ErrNotJSON) && !looksLikeJSON(x.payload.Text()) {
			return true, x.acknowledge(outcomeHandshake)
		}
		return false, x.explain(err)
	}
	return false, nil
}

// posted returns the answer to a POST that is a handshake: one that the provider proves,
// or one that it cannot.
func (x *exchange) posted(isUnproved bool) (answer provider.Answer, ok bool) {
	for _, h := range x.rc.Provider.Handshakes(x.r.Method) {
		if h.Unproved() != isUnproved {
			continue
		}
		if answer, ok := h.Answer(x.request(), x.sign); ok {
			return answer, true
		}
	}
	return provider.Answer{}, false
}

// sign returns the MAC of a text with the secret that proved the request.
func (x *exchange) sign(text []byte) (mac []byte, ok bool) {
	if x.rc.Sign == nil {
		return nil, false
	}
	mac = x.rc.Sign(x.proof.Ordinal, text)
	return mac, mac != nil
}
