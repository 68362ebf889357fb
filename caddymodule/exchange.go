package caddymodule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// ServeHTTP takes one request of the provider.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	x := h.begin(w, r, next)
	defer x.end()

	if err := x.read(); err != nil {
		return x.refuse(err)
	}
	if err := x.verify(); err != nil {
		return x.refuse(refusalFor(err))
	}
	if done, err := x.challenge(); done || err != nil {
		return x.refuse(err)
	}
	events, done, err := x.split()
	if done || err != nil {
		return x.refuse(err)
	}
	if len(h.Destinations) > 0 {
		return x.enqueue(events)
	}
	if len(events) == 1 || h.Format == formatOriginal {
		return x.forward(x.event(events))
	}
	return x.forwardBatch(events)
}

// exchange is one request on its way through a handler.
type exchange struct {
	h    *Handler
	w    http.ResponseWriter
	r    *http.Request
	next caddyhttp.Handler
	repl *caddy.Replacer

	// current is what placeholders tell about the event at hand.
	current struct{ id, eventType, subject string }

	received time.Time
	away     time.Duration // spent waiting and in the next handler
	body     []byte
	proof    verify.Proof
	outcome  outcome
}

func (h *Handler) begin(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) *exchange {
	x := &exchange{h: h, w: w, r: r, next: next, received: h.now()}
	x.repl = r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	x.repl.Map(x.placeholder)
	return x
}

// end counts what became of the request, also after a panic, which leaves no
// outcome.
func (x *exchange) end() {
	if x.outcome == "" {
		x.outcome = upstream
	}
	x.h.app.metrics.requests.WithLabelValues(x.h.Provider, string(x.outcome)).Inc()
	x.h.handling.Observe((x.h.now().Sub(x.received) - x.away).Seconds())
}

// refuse logs a refusal and turns it into the error that Caddy answers with.
// Other errors, and nil, pass.
func (x *exchange) refuse(err error) error {
	var refused *refusal
	if !errors.As(err, &refused) {
		return err
	}
	x.outcome = refused.reason
	x.h.app.refusals.log(string(refused.reason),
		zap.String("provider", x.h.Provider),
		zap.String("source", x.h.Source),
		zap.Int("status", refused.status),
		zap.String("method", x.r.Method),
		zap.String("path", x.r.URL.Path),
		zap.String("client_ip", clientIP(x.r)),
		zap.NamedError("cause", refused.err))
	return caddyhttp.Error(refused.status, refused)
}

func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}

// read checks the method and reads the body, no more of it than allowed.
func (x *exchange) read() error {
	isGET := x.r.Method == http.MethodGet && x.h.challenge != nil
	if x.r.Method != http.MethodPost && !isGET {
		x.w.Header().Set("Allow", x.h.methods)
		return refuseAs(wrongMethod, errors.New("method not allowed"))
	}
	limit := x.h.MaxBody
	if x.r.ContentLength > limit {
		return refuseAs(tooLarge, fmt.Errorf("more than %d bytes declared", limit))
	}
	body, err := readAll(http.MaxBytesReader(x.w, x.r.Body, limit), x.r.ContentLength, limit)
	var tooLong *http.MaxBytesError
	var handlerErr caddyhttp.HandlerError
	switch {
	case errors.As(err, &tooLong),
		errors.As(err, &handlerErr) && handlerErr.StatusCode == http.StatusRequestEntityTooLarge:
		return refuseAs(tooLarge, errors.New("more bytes than allowed"))
	case err != nil:
		return refuseAs(malformed, errors.New("the body could not be read to its end"))
	}
	x.body = body
	return nil
}

// trustedLength is up to how many bytes are reserved because a request declares
// them; beyond that, memory follows what really arrives.
const trustedLength = 64 << 10

// readAll reads r to its end. length is what was declared, or -1; limit is how
// much r yields at the most.
func readAll(r io.Reader, length, limit int64) ([]byte, error) {
	// One byte more than declared, so that the end is seen without growing.
	body := make([]byte, 0, min(max(length, bytes.MinRead), trustedLength)+1)
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF:
			return body, nil
		case err != nil:
			return nil, err
		case len(body) == cap(body):
			rest := int(length) + 1 - len(body)
			body = slices.Grow(body, min(max(rest, len(body)), int(limit)+1-len(body)))
		}
	}
}

// verify proves who sent the request: by its body, or, for a GET, by what the
// challenge has for that.
func (x *exchange) verify() error {
	verifier := x.h.verifier
	if x.r.Method == http.MethodGet {
		verifier = x.h.challenger
	}
	proof, err := verifier.Verify(x.proofRequest())
	if err != nil {
		return err
	}
	x.proof = proof
	if proof.Ordinal > 0 {
		x.h.app.metrics.secretMatches.WithLabelValues(x.h.Provider, strconv.Itoa(proof.Ordinal)).Inc()
	}
	return nil
}

// proofRequest returns the request as the client sent it: handlers before this
// one may have rewritten the URL.
func (x *exchange) proofRequest() *verify.Request {
	uri, query := x.r.RequestURI, x.r.URL.RawQuery
	if original, ok := x.r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		uri, query = original.RequestURI, original.URL.RawQuery
	}
	return &verify.Request{
		Method: x.r.Method,
		URI:    uri,
		Query:  query,
		Header: x.r.Header,
		Body:   x.body,
		Time:   x.received,
	}
}

// challenge answers the GET of a challenge.
func (x *exchange) challenge() (done bool, err error) {
	if x.r.Method != http.MethodGet {
		return false, nil
	}
	text, err := x.h.challenge.Challenge(x.proofRequest())
	if err != nil {
		return false, refusalFor(err)
	}
	return true, x.answer(handshake, text, verify.TextPlain)
}

// split returns the events in the body, each as its own bytes, unless it is a
// handshake.
func (x *exchange) split() (events []string, done bool, err error) {
	if err := envelope.Check(x.body); err != nil {
		if x.acknowledgesEmpty() && errors.Is(err, envelope.ErrNotJSON) && !looksLikeJSON(x.body) {
			return nil, true, x.acknowledge(handshake)
		}
		return nil, false, refusalFor(err)
	}
	for _, h := range x.h.provider.Spec().Handshakes {
		if text, contentType, ok := h.Answer(x.body); ok {
			return nil, true, x.answer(handshake, text, contentType)
		}
	}
	events, err = x.h.provider.Split(asString(x.body))
	if errors.Is(err, provider.ErrNoEvent) && x.acknowledgesEmpty() {
		return nil, true, x.acknowledge(handshake)
	}
	if err != nil {
		return nil, false, refusalFor(err)
	}
	return events, false, nil
}

// event returns what a request is delivered as: its only event, or the whole of
// it.
func (x *exchange) event(events []string) provider.Event {
	if x.h.Format == formatOriginal {
		return x.h.provider.Whole(asString(x.body), events, x.r.Header)
	}
	return x.h.provider.Read(events[0], x.r.Header)
}

// asString returns a body as a string without copying it: nothing writes to a
// body after it was read.
func asString(body []byte) string { return unsafe.String(unsafe.SliceData(body), len(body)) }

// acknowledgesEmpty reports whether a proved request without events is a
// handshake.
func (x *exchange) acknowledgesEmpty() bool {
	for _, h := range x.h.provider.Spec().Handshakes {
		if h.Empty {
			return true
		}
	}
	return false
}

// looksLikeJSON reports whether a body was meant to be JSON: what is cut short
// or badly encoded may have held events, and must not be acknowledged.
func looksLikeJSON(body []byte) bool {
	text := strings.TrimLeft(asString(body), " \t\r\n\ufeff")
	return strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")
}

// begins makes e the event at hand and returns its key within the handler's
// source.
func (x *exchange) begins(e *provider.Event) envelope.Key {
	x.current.id, x.current.eventType, x.current.subject = e.ID, e.Type, e.Subject
	return envelope.NewKey(x.h.Source, e.DedupKey)
}

// claim claims an event. duplicate says that it was accepted before; answer is
// what was answered then, if that is kept.
func (x *exchange) claim(key envelope.Key) (claim *dedup.Claim, duplicate bool, answer *dedup.Answer, err error) {
	if x.h.memory == nil {
		return nil, false, nil, nil
	}
	x.h.applySettings.Do(func() { x.h.memory.Set(x.h.dedupSettings()) })
	start := x.h.now()
	claim, answer, err = x.h.memory.Claim(x.r.Context(), dedup.Key(key))
	x.away += x.h.now().Sub(start)
	return claim, claim == nil && err == nil, answer, err
}

// forward lets the only event of a request through, once. The application's
// answer is the provider's.
func (x *exchange) forward(e provider.Event) error {
	x.removeCredentials()
	key := x.begins(&e)
	claim, isDuplicate, answer, err := x.claim(key)
	if err != nil {
		return x.refuse(x.busy(&e, err))
	}
	if isDuplicate {
		x.count(&e, duplicate)
		return x.repeat(answer)
	}
	// Also when the next handler panics.
	defer claim.Release()

	rec := x.recorder()
	x.setEvent(x.r, &e, key)
	err = x.callNext(rec, x.r)
	if err != nil || !isSuccess(rec.Status()) {
		x.count(&e, upstream)
		return x.fail(rec.Status(), err)
	}
	claim.Commit(rec.Answer())
	x.count(&e, accepted)
	if rec.Replaced() {
		return x.acknowledge(accepted)
	}
	x.outcome = accepted
	return nil
}

// busy is the refusal of an event whose first is still under way.
func (x *exchange) busy(e *provider.Event, err error) error {
	x.count(e, upstream)
	if errors.Is(err, dedup.ErrBusy) {
		x.w.Header().Set("Retry-After", retryAfter)
		return &refusal{reason: upstream, status: http.StatusServiceUnavailable, err: err}
	}
	return &refusal{reason: upstream, status: statusClientClosed, err: errors.New("the client went away")}
}

// retryAfter is the Retry-After of a 503, in seconds: longer than a duplicate
// waits for its first.
const retryAfter = "10"

// statusClientClosed is the status for logs when a client went away, as Caddy's
// reverse_proxy has it.
const statusClientClosed = 499

// fail ends an exchange that the application did not answer with success. What
// it answered has been sent already; what it did not answer must not look like
// success.
func (x *exchange) fail(status int, err error) error {
	if status < 200 {
		status = 0 // 1xx is no answer
	}
	refused := &refusal{reason: upstream, status: status, err: fmt.Errorf("the application answered %d", status)}
	var handlerErr caddyhttp.HandlerError
	switch {
	case errors.As(err, &handlerErr) && isSuccess(handlerErr.StatusCode):
		refused.status, refused.err = http.StatusBadGateway, fmt.Errorf("an error with status %d", handlerErr.StatusCode)
		err = nil
	case errors.As(err, &handlerErr):
		refused.status, refused.err = handlerErr.StatusCode, err
	case err != nil:
		refused.status, refused.err = http.StatusInternalServerError, err
	case status == 0 && x.r.Context().Err() != nil:
		refused.status, refused.err = statusClientClosed, errors.New("the client went away")
	case status == 0:
		refused.status, refused.err = http.StatusBadGateway, errors.New("no handler answered; put one, such as reverse_proxy, after webhooks")
	}
	result := x.refuse(refused)
	switch {
	case err != nil:
		return err // as the next handler gave it, for handle_errors
	case status != 0:
		return nil // answered
	}
	return result
}

// forwardBatch lets the events of a request through, each once and in order.
// After a failed one the others go on, except those of its partition key. What
// the application answered to each is not sent.
func (x *exchange) forwardBatch(events []string) error {
	// One event at a time is read, so that a thousand need no more memory than
	// the largest of them; some providers' types and ids are in the header.
	header := x.r.Header.Clone()
	x.removeCredentials()
	seen := make(map[envelope.Key]bool, len(events))
	parked := make(map[string]bool)
	result := duplicate
	failed := 0
	var firstErr error
	for _, event := range events {
		e := x.h.provider.Read(event, header)
		key := x.begins(&e)
		if x.h.memory != nil && seen[key] {
			x.count(&e, duplicate)
			continue
		}
		seen[key] = true
		outcome, err := upstream, error(nil)
		if !parked[e.PartitionKey] && x.r.Context().Err() == nil {
			outcome, err = x.forwardOne(&e, key)
		}
		x.count(&e, outcome)
		switch outcome {
		case upstream:
			failed++
			if firstErr == nil {
				firstErr = err
			}
			if e.PartitionKey != "" {
				parked[e.PartitionKey] = true
			}
		case accepted:
			result = accepted
		}
	}
	if failed > 0 {
		err := fmt.Errorf("%d of %d events were not accepted", failed, len(events))
		if firstErr != nil {
			err = fmt.Errorf("%w: %v", err, firstErr) // whose status is not the batch's
		}
		return x.refuse(&refusal{reason: upstream, status: http.StatusBadGateway, err: err})
	}
	return x.acknowledge(result)
}

// forwardOne lets one event of a batch through.
func (x *exchange) forwardOne(e *provider.Event, key envelope.Key) (outcome, error) {
	claim, isDuplicate, _, err := x.claim(key)
	switch {
	case err != nil:
		return upstream, err
	case isDuplicate:
		return duplicate, nil
	}
	defer claim.Release()

	rec := newReplaced(nil)
	r := x.freshRequest()
	x.setEvent(r, e, key)
	if err := x.callNext(rec, r); err != nil {
		return upstream, err
	}
	if !isSuccess(rec.Status()) {
		return upstream, fmt.Errorf("the application answered %d", rec.Status())
	}
	claim.Commit(nil)
	return accepted, nil
}

func isSuccess(status int) bool { return 200 <= status && status <= 299 }

// callNext calls the next handler.
func (x *exchange) callNext(w recorder, r *http.Request) (err error) {
	start := x.h.now()
	defer func() {
		x.away += x.h.now().Sub(start)
		// reverse_proxy panics with this for an answer that breaks off. Where it
		// is held back, there is still another answer to give.
		if w.Replaced() {
			if p := recover(); p == http.ErrAbortHandler {
				err = caddyhttp.Error(http.StatusBadGateway, errors.New("the application's answer broke off"))
			} else if p != nil {
				panic(p)
			}
		}
	}()
	return x.next.ServeHTTP(w, r)
}

// count counts an event; its type is a label only as far as it is configured.
func (x *exchange) count(e *provider.Event, result outcome) {
	m := x.h.app.metrics
	eventType := otherType
	if x.h.provider.KnowsType(e.Type) {
		eventType = e.Type
	}
	m.events.WithLabelValues(x.h.Provider, eventType, string(result)).Inc()
	if e.LacksID {
		m.missingIDs.WithLabelValues(x.h.Provider).Inc()
	}
}

// placeholder tells the replacer about the request, and the event at hand. Like
// the request itself, it is for the goroutine that serves the request.
func (x *exchange) placeholder(name string) (any, bool) {
	name, ok := strings.CutPrefix(name, "http.webhooks.")
	if !ok {
		return nil, false
	}
	switch name {
	case "provider":
		return x.h.Provider, true
	case "id":
		return x.current.id, true
	case "type":
		return x.current.eventType, true
	case "subject":
		return x.current.subject, true
	case "outcome":
		return string(x.outcome), true
	}
	return nil, false
}

// repeat answers an event that was accepted before: with the first answer where
// the provider reads it.
func (x *exchange) repeat(answer *dedup.Answer) error {
	if answer == nil {
		return x.acknowledge(duplicate)
	}
	x.outcome = duplicate
	if answer.ContentType != "" {
		x.w.Header().Set("Content-Type", answer.ContentType)
	}
	x.w.WriteHeader(answer.Status)
	// The status is out: nothing can be done for a client that left.
	_, _ = x.w.Write(answer.Body)
	return nil
}

// acknowledge answers 200, and the presented token for a provider that wants it
// back.
func (x *exchange) acknowledge(result outcome) error {
	if x.returnsToken() && x.proof.Token != "" {
		return x.answer(result, x.proof.Token, verify.TextPlain)
	}
	x.outcome = result
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// returnsToken reports whether the provider wants its token back.
func (x *exchange) returnsToken() bool { return x.h.provider.Spec().Reply == provider.ReplyToken }

// answer answers 200 with a text that came from outside, which must not be taken
// for anything else than what it is said to be.
func (x *exchange) answer(result outcome, text, contentType string) error {
	x.outcome = result
	header := x.w.Header()
	header.Set("Content-Type", contentType)
	header.Set("X-Content-Type-Options", "nosniff")
	x.w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(x.w, text)
	return nil
}
