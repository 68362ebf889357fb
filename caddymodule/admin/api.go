// Package admin is the API under /webhooks/ on Caddy's admin endpoint.
package admin

import (
	"bytes"
	"encoding/json"
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

// API reports on durable delivery and controls it, under /webhooks/ on Caddy's admin
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
		{Pattern: "/webhooks/destinations", Handler: page{http.MethodGet: onQueue(listDestinations)}},
		{Pattern: "/webhooks/dead", Handler: page{
			http.MethodGet:    onQueue(listDead),
			http.MethodDelete: onQueue(discardSelected),
		}},
		{Pattern: "/webhooks/dead/{id}", Handler: page{
			http.MethodGet:    onQueue(showDead),
			http.MethodDelete: onQueue(discardOne),
		}},
		{Pattern: "/webhooks/replay", Handler: page{http.MethodPost: onQueue(replaySelected)}},
		{Pattern: "/webhooks/pause/{name}", Handler: page{http.MethodPost: onQueue(pause)}},
		{Pattern: "/webhooks/resume/{name}", Handler: page{http.MethodPost: onQueue(resume)}},
		{Pattern: "/webhooks/forget/{name}", Handler: page{http.MethodPost: onQueue(forget)}},
	}
}

// page answers in JSON. Its functions make the answers, by method.
type page map[string]func(r *http.Request) (answer any, err error)

// ServeHTTP implements caddy.AdminHandler. All errors are a caddy.APIError:
// Caddy logs its Err, and answers with its Message.
func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	serve, ok := p[method]
	if !ok {
		allowed := strings.Join(p.methods(), ", ")
		w.Header().Set("Allow", allowed)
		return apiError(http.StatusMethodNotAllowed, "%s does not take %s; use %s", r.URL.Path, r.Method, allowed)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	answer, err := serve(r)
	if err != nil {
		return toAPIError(err)
	}
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false) // a body is shown as it was sent
	if err := encoder.Encode(answer); err != nil {
		return toAPIError(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encoded.Bytes()) // fails for a client that is gone
	return nil
}

func (p page) methods() []string {
	methods := make([]string, 0, len(p))
	for method := range p {
		methods = append(methods, method)
	}
	slices.Sort(methods)
	return methods
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
