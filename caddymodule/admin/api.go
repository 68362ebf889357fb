// Package admin is the API under /webhooks/ on Caddy's admin endpoint.
package admin

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

func init() {
	caddy.RegisterModule(API{})
}

// maxBody is the size of the longest body of a request, in bytes: some 25,000 ids.
const maxBody = 1 << 20

// API shows what happened at the gateway and controls durable delivery, under /webhooks/ on Caddy's admin
// endpoint. Like the rest of that endpoint, it asks for no credentials.
type API struct{}

// CaddyModule returns the Caddy module information.
func (API) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.webhooks",
		New: func() caddy.Module { return new(API) },
	}
}

// Routes returns the routes. Caddy labels its metrics with the patterns: they
// hold neither a method, so that a wrong one is answered in JSON, nor a name.
func (API) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/webhooks/", Handler: caddy.AdminHandlerFunc(noSuchPage)},
		{Pattern: "/webhooks/ready", Handler: page{http.MethodGet: ready}},
		{Pattern: "/webhooks/blocks", Handler: page{http.MethodGet: onJournal(listBlocks)}},
		{Pattern: "/webhooks/queue", Handler: page{http.MethodGet: onQueue(showQueue)}},
		{Pattern: "/webhooks/destinations", Handler: page{http.MethodGet: onJournal(listDestinations)}},
		{Pattern: "/webhooks/events", Handler: page{http.MethodGet: onJournal(listEvents)}},
		{Pattern: "/webhooks/events/{id}", Handler: page{http.MethodGet: onJournal(showEvent)}},
		{Pattern: "/webhooks/events/{id}/envelope", Handler: page{http.MethodGet: onJournal(showEnvelope)}},
		{Pattern: "/webhooks/events/{id}/original", Handler: page{http.MethodGet: onJournal(showOriginal)}},
		{Pattern: "/webhooks/tail", Handler: tail{keepAlive, newClosing()}},
		{Pattern: "/webhooks/refusals", Handler: page{http.MethodGet: onJournal(listRefusals)}},
		{Pattern: "/webhooks/dead", Handler: page{
			http.MethodGet:    onQueue(listDead),
			http.MethodDelete: onQueue(discardSelected),
		}},
		{Pattern: "/webhooks/dead/{id}", Handler: page{
			http.MethodGet:    onQueue(showDead),
			http.MethodDelete: onQueue(discardOne),
		}},
		{Pattern: "/webhooks/causes", Handler: page{http.MethodGet: onQueue(listCauses)}},
		{Pattern: "/webhooks/replay", Handler: page{http.MethodPost: onQueue(replaySelected)}},
		{Pattern: "/webhooks/pause/{name}", Handler: page{http.MethodPost: onQueue(pause)}},
		{Pattern: "/webhooks/resume/{name}", Handler: page{http.MethodPost: onQueue(resume)}},
		{Pattern: "/webhooks/forget/{name}", Handler: page{http.MethodPost: onQueue(forget)}},
	}
}

// page answers in JSON. Its functions make the answers, by method.
type page map[string]func(r *http.Request) (answer any, err error)

// document is an answer that is not JSON.
type document struct {
	contentType string
	body        []byte
}

// ServeHTTP implements caddy.AdminHandler. All errors are a caddy.APIError:
// Caddy logs its Err, and answers with its Message.
func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	if err := checkMethod(w, r, slices.Sorted(maps.Keys(p))...); err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	answer, err := p[methodOf(r)](r)
	if err != nil {
		return toAPIError(err)
	}
	made, ok := answer.(document)
	if !ok {
		if made, err = encode(answer); err != nil {
			return toAPIError(err)
		}
	}
	w.Header().Set("Content-Type", made.contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(made.body) // fails for a client that is gone
	return nil
}

// encode returns an answer in JSON.
func encode(answer any) (document, error) {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false) // a body is shown as it was sent
	err := encoder.Encode(answer)
	return document{"application/json", encoded.Bytes()}, err
}

// checkMethod refuses all but the allowed methods, which are sorted. GET includes HEAD.
func checkMethod(w http.ResponseWriter, r *http.Request, allowed ...string) error {
	if slices.Contains(allowed, methodOf(r)) {
		return nil
	}
	use := strings.Join(allowed, ", ")
	w.Header().Set("Allow", use)
	return apiError(http.StatusMethodNotAllowed, "%s does not take %s; use %s", r.URL.Path, r.Method, use)
}

func methodOf(r *http.Request) string {
	if r.Method == http.MethodHead {
		return http.MethodGet
	}
	return r.Method
}

// orEmpty returns an empty list for a nil one: in JSON they differ.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Interface guard
var _ caddy.AdminRouter = API{}
