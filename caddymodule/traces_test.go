package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// tracedChild is a gateway of its own with a collector. It takes events of Notifly at
// /durable, and of WotNot at /direct, in traces, and of Notifly at /untraced.
type tracedChild struct {
	*child
	*collector
	app           *application
	secret, token string
	isUp          atomic.Bool // if not, the application answers 500 to the destination crm
}

func startTraced(t *testing.T) *tracedChild {
	t.Helper()
	g := &tracedChild{secret: newSecret(), token: newSecret()}
	g.isUp.Store(true)
	g.app = startApplication(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.URL.Path == "/crm" && !g.isUp.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	collector, env := startCollector(t)
	g.collector = collector
	site := fmt.Sprintf(`
	handle /durable {
		tracing {
			span provider
		}
		webhooks notifly {
			secret {env.SECRET}
			destination crm {
				backoff 10ms 50ms
				attempts 10000
				to {
					rewrite * /crm?
					%[1]s
				}
			}
			destination raw {
				format original
				to {
					rewrite * /raw?
					%[1]s
				}
			}
		}
	}
	handle /direct {
		tracing {
			span provider
		}
		webhooks wotnot {
			token {env.TOKEN}
		}
		rewrite * /direct?
		%[1]s
	}
	handle /untraced {
		webhooks notifly {
			secret {env.SECRET}
			source /untraced
			destination plain {
				to {
					rewrite * /plain?
					%[1]s
				}
			}
		}
	}`, g.app.proxy())
	g.child = newChild(t, "traced", "sqlite "+filepath.Join(t.TempDir(), "webhooks", "queue.db"), site, append(env, "SECRET="+g.secret, "TOKEN="+g.token)...)
	g.startReady()
	return g
}

// post posts to the gateway and checks the status.
func (g *tracedChild) post(path string, status int, body []byte, headers ...string) {
	g.t.Helper()
	r := request(g.t, "", body, headers...)
	u, err := r.URL.Parse(g.url + path)
	if err != nil {
		g.t.Fatal(err)
	}
	r.URL, r.Host = u, u.Host
	if a := do(g.t, r); a.status != status {
		g.t.Fatalf("POST %s: got %d, want %d", u.Path, a.status, status)
	}
}

// send sends an event of Notifly's.
func (g *tracedChild) send(path, id string, headers ...string) {
	g.t.Helper()
	body, header, signature := notifly(g.secret, id)
	g.post(path, http.StatusOK, body, append(headers, header, signature)...)
}

// waitFor waits until the application got n requests at a path, and returns them.
func (g *tracedChild) waitFor(path string, n int) []got {
	g.t.Helper()
	waitLong(g.t, fmt.Sprintf("%d requests at %s", n, path), func() bool { return len(g.app.toPath(path)) >= n })
	return g.app.toPath(path)
}

// reload loads the configuration again, although it is the same.
func (g *tracedChild) reload() {
	g.t.Helper()
	config, err := os.ReadFile(filepath.Join(g.dir, "Caddyfile"))
	if err != nil {
		g.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, g.admin+"/load", bytes.NewReader(config))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "text/caddyfile")
	r.Header.Set("Cache-Control", "must-revalidate")
	if a := do(g.t, r); a.status != http.StatusOK {
		g.t.Fatalf("%d %s", a.status, a.body)
	}
	client.CloseIdleConnections()
}

// traceOf returns traceparent and tracestate of an envelope.
func traceOf(t *testing.T, r got) (parent, state string) {
	t.Helper()
	var e struct{ TraceParent, TraceState string }
	if err := json.Unmarshal(r.Body, &e); err != nil {
		t.Fatal(err)
	}
	return e.TraceParent, e.TraceState
}

// TestTraceOfDurable shows that the provider's request and the attempts of its event,
// those that failed included, are one trace, which goes on where the sender's does.
func TestTraceOfDurable(t *testing.T) {
	g := startTraced(t)
	const sender = "0af7651916cd43dd8448eb211c80319c"
	g.isUp.Store(false)
	g.send("/durable?campaign=spring", "e1", "traceparent", "00-"+sender+"-b7ad6b7169203331-01", "tracestate", "rojo=00f067aa0ba902b7")
	g.waitFor("/crm", 1)
	g.isUp.Store(true)

	request := g.waitSpan(t, "provider")
	if request.trace != sender {
		t.Errorf("the trace is %s, want the sender's", request.trace)
	}
	request.want(t, spanGot{trace: sender, id: "b7ad6b7169203331"}, false, "webhooks.provider", "notifly", "webhooks.outcome", "accepted")
	event := []string{"webhooks.provider", "notifly", "webhooks.source", "/webhooks/notifly", "webhooks.id", keyOf("e1"), "webhooks.type", "message.created"}
	g.waitSpan(t, "webhooks.verify").want(t, request, false, "webhooks.provider", "notifly", "webhooks.source", "/webhooks/notifly", "webhooks.secret", "1")
	g.waitSpan(t, "webhooks.store").want(t, request, false, append(event, "webhooks.outcome", "accepted", "webhooks.events", "1")...)

	last := g.waitSpan(t, "webhooks.attempt", "webhooks.destination", "crm", "webhooks.outcome", "delivered")
	last.want(t, request, false, append(event, "http.response.status_code", "200", "webhooks.replay", "false")...)
	first := g.waitSpan(t, "webhooks.attempt", "webhooks.destination", "crm", "webhooks.attempt", "1")
	first.want(t, request, true, append(event, "http.response.status_code", "500", "webhooks.outcome", "retry")...)

	attempts := g.app.toPath("/crm")
	for attempt, span := range map[int]spanGot{0: first, len(attempts) - 1: last} {
		header := attempts[attempt].Header
		if got := header.Get("traceparent"); got != span.parentText() {
			t.Errorf("attempt %d has traceparent %s, want %s", attempt+1, got, span.parentText())
		}
		if got := header["Tracestate"]; len(got) != 1 || got[0] != "rojo=00f067aa0ba902b7" {
			t.Errorf("attempt %d has tracestate %q", attempt+1, got)
		}
	}
	if parent, state := traceOf(t, attempts[0]); parent != request.parentText() || state != "rojo=00f067aa0ba902b7" {
		t.Errorf("the envelope has %q and %q, want %q and the sender's tracestate", parent, state, request.parentText())
	}

	raw := g.waitSpan(t, "webhooks.attempt", "webhooks.destination", "raw")
	raw.want(t, request, false, append(event, "webhooks.attempt", "1", "webhooks.outcome", "delivered")...)
	if got := g.waitFor("/raw", 1)[0].Header.Get("traceparent"); got != raw.parentText() {
		t.Errorf("the attempt with the original has traceparent %s, want %s", got, raw.parentText())
	}
	if text := g.text(); strings.Contains(text, "campaign") || strings.Contains(text, "m-e1") {
		t.Error("a span has the query or the body")
	}
}

// TestTraceOverReload shows that a trace goes on after a reload, and that after a
// restart, where no span can be begun yet, attempts still name the trace.
func TestTraceOverReload(t *testing.T) {
	g := startTraced(t)
	g.isUp.Store(false)
	g.send("/durable", "e1")
	g.waitFor("/crm", 1)
	g.reload()
	g.isUp.Store(true)
	request := g.waitSpan(t, "provider")
	g.waitSpan(t, "webhooks.attempt", "webhooks.destination", "crm", "webhooks.outcome", "delivered").want(t, request, false)

	g.isUp.Store(false)
	before := len(g.app.toPath("/crm"))
	g.send("/durable", "e2")
	g.waitFor("/crm", before+1)
	g.kill()
	g.isUp.Store(true)
	before = len(g.app.toPath("/crm"))
	g.startReady()
	attempt := g.waitFor("/crm", before+1)[before]
	parent, _ := traceOf(t, attempt)
	if got := attempt.Header.Get("traceparent"); parent == "" || got != parent {
		t.Errorf("after a restart, an attempt has traceparent %q, want the envelope's, %q", got, parent)
	}
	g.send("/durable", "e3")
	g.waitSpan(t, "webhooks.attempt", "webhooks.destination", "crm", "webhooks.id", keyOf("e3"))
	if found := g.where("webhooks.attempt", "webhooks.id", keyOf("e2"), "webhooks.destination", "crm", "webhooks.outcome", "delivered"); len(found) != 0 {
		t.Error("there is a span of an attempt before the first request")
	}
}

// TestTraceOfDirect shows that the next handler gets each event of a batch in the trace,
// and that the request's span has the outcome.
func TestTraceOfDirect(t *testing.T) {
	g := startTraced(t)
	g.post("/direct?token="+g.token, http.StatusOK, batch("1:one", "2:two"))
	request := g.waitSpan(t, "provider")
	request.want(t, spanGot{trace: request.trace}, false, "webhooks.provider", "wotnot", "webhooks.outcome", "accepted")
	g.waitSpan(t, "webhooks.verify").want(t, request, false, "webhooks.secret", "1")
	waitLong(t, "both events are in the trace", func() bool { return len(g.where("webhooks.forward")) == 2 })
	for _, r := range g.app.toPath("/direct") {
		span := g.waitSpan(t, "webhooks.forward", "webhooks.id", r.Header.Get("webhook-id"))
		span.want(t, request, false, "webhooks.type", "message.created", "webhooks.outcome", "accepted", "http.response.status_code", "200")
		if got := r.Header["Traceparent"]; len(got) != 1 || got[0] != span.parentText() {
			t.Errorf("an event has traceparent %q, want %s", got, span.parentText())
		}
		if parent, _ := traceOf(t, r); parent != request.parentText() {
			t.Errorf("an envelope has traceparent %q, want %s", parent, request.parentText())
		}
	}

	g.post("/direct?token="+newSecret(), http.StatusUnauthorized, batch("1:three"))
	request = g.waitSpan(t, "provider", "webhooks.outcome", "bad_credential")
	g.waitSpan(t, "webhooks.verify", "webhooks.outcome", "bad_credential").want(t, request, true, "webhooks.provider", "wotnot")

	g.app.Close()
	g.post("/direct?token="+g.token, http.StatusBadGateway, batch("1:four"))
	request = g.waitSpan(t, "provider", "webhooks.outcome", "upstream")
	g.waitSpan(t, "webhooks.forward", "webhooks.outcome", "upstream").want(t, request, true, "http.response.status_code", "502")
}

// TestNoTrace shows that a header alone makes no trace: the application gets the
// sender's, as any other header.
func TestNoTrace(t *testing.T) {
	g := startTraced(t)
	const claimed = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	g.send("/untraced", "e1", "traceparent", claimed)
	attempt := g.waitFor("/plain", 1)[0]
	if parent, _ := traceOf(t, attempt); parent != "" {
		t.Errorf("the envelope has traceparent %q", parent)
	}
	if got := attempt.Header.Get("traceparent"); got != claimed {
		t.Errorf("the application gets traceparent %q, want the sender's", got)
	}
	g.send("/durable", "e2")
	g.waitSpan(t, "webhooks.attempt", "webhooks.destination", "raw")
	if found := g.where("webhooks.attempt", "webhooks.destination", "plain"); len(found) != 0 {
		t.Error("an attempt is in the trace that the sender claims")
	}
}
