package ingress

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// The direct way: claim an event, call the next handler, and commit the claim if
// the application took the event, else release it.

// retryAfter is the Retry-After of a 503, in seconds: longer than a duplicate waits
// for its first.
const retryAfter = "10"

// statusClientClosed is the status for logs when a client went away, as Caddy's
// reverse_proxy has it.
const statusClientClosed = 499

var errClientGone = errors.New("the client went away")

// forward lets the only event of a request through, once. The application's answer
// is the provider's.
func (x *exchange) forward(e provider.Event) error {
	x.removeCredentials()
	key := x.setCurrent(&e)
	claim, isDuplicate, answer, err := x.claim(key)
	if err != nil {
		x.reportDirect(&e, outcomeUpstreamFailed)
		return x.busy(err)
	}
	if isDuplicate {
		x.reportDirect(&e, outcomeDuplicate)
		return x.repeat(answer)
	}
	// Also if the next handler panics.
	defer claim.Release()

	rec := x.recorder()
	x.setEvent(x.r, &e, key)
	err = x.callNext(rec, x.r)
	if err != nil || !isSuccess(rec.Status()) {
		x.reportDirect(&e, outcomeUpstreamFailed)
		return x.fail(rec.Status(), err)
	}
	claim.Commit(rec.Answer())
	x.reportDirect(&e, outcomeAccepted)
	if rec.Discards() {
		return x.acknowledge(outcomeAccepted)
	}
	x.outcome = outcomeAccepted
	return nil
}

// claim claims an event. isDuplicate reports that it was accepted before; answer is
// the answer of then, if that is kept.
func (x *exchange) claim(key envelope.Key) (claim *dedup.Claim, isDuplicate bool, answer *dedup.Answer, err error) {
	if x.rc.Memory == nil {
		return nil, false, nil, nil
	}
	x.rc.applyDedup.Do(func() { x.rc.Memory.Set(x.rc.Dedup) })
	start := x.rc.Now()
	claim, answer, err = x.rc.Memory.Claim(x.r.Context(), dedup.Key(key))
	x.waited += x.rc.Now().Sub(start)
	isDuplicate = claim == nil && err == nil
	if line := x.debug("duplicate"); isDuplicate && line != nil {
		line.Write(zap.String("id", key.String()), zap.String("source", x.rc.Source))
	}
	return claim, isDuplicate, answer, err
}

// busy is the refusal of an event whose first copy is still being handled.
func (x *exchange) busy(err error) error {
	if errors.Is(err, dedup.ErrBusy) {
		x.w.Header().Set("Retry-After", retryAfter)
		return &Refusal{Reason: outcomeUpstreamFailed, Status: http.StatusServiceUnavailable, Err: err}
	}
	return &Refusal{Reason: outcomeUpstreamFailed, Status: statusClientClosed, Err: errClientGone}
}

// fail is the refusal of an event that the application did not answer with success.
// An answer of the application was sent already; if there was none, the provider
// must not take the end of the request for success.
func (x *exchange) fail(status int, err error) error {
	if status < 200 {
		status = 0 // 1xx is not an answer
	}
	refused := &Refusal{
		Reason: outcomeUpstreamFailed, Status: status,
		Err: fmt.Errorf("the application answered %d", status), isAnswered: status != 0,
	}
	var handlerErr caddyhttp.HandlerError
	switch {
	case errors.As(err, &handlerErr) && isSuccess(handlerErr.StatusCode):
		refused.Status, refused.Err = http.StatusBadGateway, fmt.Errorf("an error with status %d", handlerErr.StatusCode)
	case errors.As(err, &handlerErr):
		refused.Status, refused.Err, refused.passed = handlerErr.StatusCode, withoutTrace(err), err
	case err != nil:
		refused.Status, refused.Err, refused.passed = http.StatusInternalServerError, err, err
	case status == 0 && x.r.Context().Err() != nil:
		refused.Status, refused.Err = statusClientClosed, errClientGone
	case status == 0:
		refused.Status, refused.Err = http.StatusBadGateway, errors.New("no handler answered; put one, such as reverse_proxy, after webhooks")
	}
	if refused.passed != nil {
		refused.isAnswered = false // handle_errors decides
	}
	return refused
}

// withoutTrace returns an error without the id and the place in the code that Caddy
// adds to one with a status.
func withoutTrace(err error) error {
	var handlerErr caddyhttp.HandlerError
	switch {
	case !errors.As(err, &handlerErr):
		return err
	case handlerErr.Err != nil:
		return handlerErr.Err
	}
	return fmt.Errorf("an error with status %d", handlerErr.StatusCode)
}

// forwardBatch lets the events of a request through, each once and in order. After a
// failed one the others go on, except those of its partition key. The application's
// answers are not sent.
func (x *exchange) forwardBatch(events []provider.Raw) error {
	// One event at a time is read, so that a thousand need no more memory than the
	// largest of them. Some providers' types and ids are in the header.
	request := *x.request()
	request.Header = request.Header.Clone()
	x.removeCredentials()
	b := batch{seen: make(map[envelope.Key]bool, len(events)), parked: make(map[string]bool), result: outcomeDuplicate}
	for _, event := range events {
		e := x.rc.Provider.Read(event, &request)
		outcome, err := x.forwardNext(&b, &e)
		x.reportDirect(&e, outcome)
		b.note(&e, outcome, err)
	}
	if b.failed == 0 {
		return x.acknowledge(b.result)
	}
	err := fmt.Errorf("%d of %d events were not accepted", b.failed, len(events))
	if b.firstErr != nil {
		err = fmt.Errorf("%w: %s", err, b.firstErr.Error()) // its status is not the batch's
	}
	return &Refusal{Reason: outcomeUpstreamFailed, Status: http.StatusBadGateway, Err: err}
}

// batch is the progress of forwardBatch.
type batch struct {
	seen     map[envelope.Key]bool
	parked   map[string]bool // partition keys of failed events
	result   Outcome         // of the request, if no event fails
	failed   int
	firstErr error
}

// note notes the outcome of an event.
func (b *batch) note(e *provider.Event, outcome Outcome, err error) {
	switch outcome {
	case outcomeUpstreamFailed:
		b.failed++
		if b.firstErr == nil {
			b.firstErr = err
		}
		if e.PartitionKey != "" {
			b.parked[e.PartitionKey] = true
		}
	case outcomeAccepted:
		b.result = outcomeAccepted
	}
}

// forwardNext lets the next event of a batch through, unless it is in the batch
// twice, an earlier one of its partition key failed, or the client is gone.
func (x *exchange) forwardNext(b *batch, e *provider.Event) (Outcome, error) {
	key := x.setCurrent(e)
	if x.rc.Memory != nil && b.seen[key] {
		return outcomeDuplicate, nil
	}
	b.seen[key] = true
	if b.parked[e.PartitionKey] || x.r.Context().Err() != nil {
		return outcomeUpstreamFailed, nil
	}
	return x.forwardOne(e, key)
}

// forwardOne lets one event of a batch through.
func (x *exchange) forwardOne(e *provider.Event, key envelope.Key) (Outcome, error) {
	claim, isDuplicate, _, err := x.claim(key)
	switch {
	case err != nil:
		return outcomeUpstreamFailed, err
	case isDuplicate:
		return outcomeDuplicate, nil
	}
	defer claim.Release()

	rec := newDiscarding(nil)
	r := x.freshRequest()
	x.setEvent(r, e, key)
	if err := x.callNext(rec, r); err != nil {
		return outcomeUpstreamFailed, withoutTrace(err)
	}
	if !isSuccess(rec.Status()) {
		return outcomeUpstreamFailed, fmt.Errorf("the application answered %d", rec.Status())
	}
	claim.Commit(nil)
	return outcomeAccepted, nil
}

func isSuccess(status int) bool { return 200 <= status && status <= 299 }

// callNext calls the next handler.
func (x *exchange) callNext(w recorder, r *http.Request) (err error) {
	start := x.rc.Now()
	span := x.traceForward(r)
	defer func() { span.endForward(w.Status(), err) }()
	defer func() {
		x.handed.Took = x.rc.Now().Sub(start)
		x.handed.Status = w.Status()
		x.waited += x.handed.Took
		// reverse_proxy panics with this for an answer that breaks off. If that answer
		// is not sent, there is still another one to give.
		if w.Discards() {
			switch p := recover(); {
			case isAbort(p):
				err = caddyhttp.Error(http.StatusBadGateway, errors.New("the application's answer broke off"))
			case p != nil:
				panic(p)
			}
		}
	}()
	return x.next.ServeHTTP(w, r)
}

// isAbort reports whether a handler panicked in order to break off its answer.
func isAbort(recovered any) bool {
	err, ok := recovered.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// repeat answers an event that was accepted before: with the first answer, if the
// provider reads it.
func (x *exchange) repeat(answer *dedup.Answer) error {
	if answer == nil {
		return x.acknowledge(outcomeDuplicate)
	}
	x.outcome = outcomeDuplicate
	if answer.ContentType != "" {
		x.w.Header().Set("Content-Type", answer.ContentType)
	}
	x.w.WriteHeader(answer.Status)
	_, _ = x.w.Write(answer.Body) // fails for a client that is gone
	return nil
}
