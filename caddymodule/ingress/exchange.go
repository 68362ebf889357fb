package ingress

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// exchange is one request on its way through a Receiver.
type exchange struct {
	rc   *Receiver
	w    http.ResponseWriter
	r    *http.Request
	next caddyhttp.Handler
	repl *caddy.Replacer

	// current is the event at hand, for placeholders.
	current struct {
		id, eventType, subject string
		key                    envelope.Key
		first                  envelope.Key // of the request
		isSet                  bool
	}

	received time.Time
	waited   time.Duration // outside the gateway: in the next handler, for the queue, for a claim
	body     []byte
	sent     *verify.Request // as the client sent it, once it is needed
	payload  provider.Payload
	form     []byte // to be handed over as it came, without redacted members; nil for none
	proof    verify.Proof
	isClean  bool // credentials are removed
	outcome  Outcome
	trace    requestTrace
	size     int64 // bytes of the body that were read
	accepted int   // new events

	isUnrouted bool // no destination takes any of the new events

	handed journal.DirectEvent // the event at hand, once the next handler gets it
}

func (rc *Receiver) begin(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) *exchange {
	x := &exchange{rc: rc, w: w, r: r, next: next, received: rc.Now(), trace: traceOf(r)}
	x.repl = r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	x.repl.Map(x.placeholder)
	return x
}

// end counts the request, and logs a refusal and turns it into the error that Caddy
// answers with. It also runs after a panic, which leaves no outcome.
func (x *exchange) end(err error) error {
	now := x.rc.Now()
	served := journal.Exchange{Time: now, Accepted: x.accepted, Secret: x.proof.Ordinal}
	if err != nil {
		refused := refusalFor(err)
		x.outcome = refused.Reason
		x.log(refused)
		x.rc.Journal.Refused(served, x.journaled(refused))
		x.removeCredentials() // handle_errors gets the request next
		err = refused.result()
	} else {
		x.rc.Journal.Served(served)
	}
	if x.outcome == "" {
		x.outcome = outcomeUpstreamFailed
	}
	x.trace.describe(x.rc.Provider.Name(), x.outcome)
	x.rc.Metrics.requests.WithLabelValues(x.rc.Provider.Name(), string(x.outcome)).Inc()
	x.rc.Handling.Observe((now.Sub(x.received) - x.waited).Seconds())
	return err
}

// log logs a refusal.
func (x *exchange) log(refused *Refusal) {
	x.rc.Refusals.Log(refusalKind{x.rc.Provider.Name(), refused.Reason},
		zap.String("source", x.rc.Source),
		zap.Int("status", refused.Status),
		zap.String("method", x.r.Method),
		zap.String("path", x.r.URL.Path),
		zap.String("client_ip", x.clientIP()),
		zap.NamedError("cause", refused.Err))
}

func (x *exchange) clientIP() string {
	ip, _ := caddyhttp.GetVar(x.r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}

// debug returns a line about the request for the level debug, nil if that is off.
func (x *exchange) debug(message string) *zapcore.CheckedEntry {
	return x.rc.Logger.Check(zapcore.DebugLevel, message)
}

// setCurrent makes e the event at hand and returns its key within the source.
func (x *exchange) setCurrent(e *provider.Event) envelope.Key {
	c := &x.current
	c.id, c.eventType, c.subject = e.ID, e.Type, e.Subject
	c.key = envelope.NewKey(x.rc.Source, e.DedupKey)
	if !c.isSet {
		c.first, c.isSet = c.key, true
	}
	x.handed.Body = nil
	return c.key
}

// placeholder returns the values of `{http.webhooks.…}` for the replacer. As the
// request itself, it is for the goroutine that serves the request.
func (x *exchange) placeholder(name string) (any, bool) {
	name, ok := strings.CutPrefix(name, "http.webhooks.")
	if !ok {
		return nil, false
	}
	switch name {
	case "provider":
		return x.rc.Provider.Name(), true
	case "id":
		return x.current.id, true
	case "message_id":
		if !x.current.isSet {
			return "", true
		}
		return x.current.key.String(), true
	case "type":
		return x.current.eventType, true
	case "subject":
		return x.current.subject, true
	case "outcome":
		return string(x.outcome), true
	}
	return nil, false
}

// count counts an event. Its type is a label only if the provider's file or the
// configuration names it.
func (x *exchange) count(e *provider.Event, result Outcome) {
	eventType := otherType
	if x.rc.Provider.KnowsType(e.Type) {
		eventType = e.Type
	}
	name := x.rc.Provider.Name()
	x.rc.Metrics.events.WithLabelValues(name, eventType, string(result)).Inc()
	if result == outcomeAccepted || result == outcomeUnrouted {
		x.accepted++
	}
	if e.MissingID {
		x.rc.Metrics.missingIDs.WithLabelValues(name).Inc()
	}
}

// acknowledge answers a delivery that the gateway answers itself: as the provider wants
// it, or else 200.
func (x *exchange) acknowledge(result Outcome) error {
	reply := x.rc.Provider.Spec().Reply
	answer, ok := reply.Constant()
	switch {
	case ok:
	case reply.Token && x.proof.Token != "":
		answer = provider.Answer{Status: http.StatusOK, Text: x.proof.Token, ContentType: provider.TextPlain}
	default:
		answer = provider.Answer{Status: http.StatusOK}
	}
	return x.answer(result, answer)
}

// answer sends an answer of the gateway's own. It may hold a text that came from
// outside: no client may take it for anything but its content type.
func (x *exchange) answer(result Outcome, answer provider.Answer) error {
	x.outcome = result
	header := x.w.Header()
	for name, values := range answer.Header {
		header[name] = values
	}
	if answer.ContentType != "" {
		header.Set("Content-Type", answer.ContentType)
		header.Set("X-Content-Type-Options", "nosniff")
	}
	x.w.WriteHeader(answer.Status)
	_, _ = io.WriteString(x.w, answer.Text) // fails for a client that is gone
	return nil
}
