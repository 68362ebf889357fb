// Package apitest has servers for tests that implement the APIs of Ndoto and
// ChatBot.com by the providers' own pages: paths, methods, headers, bodies and
// answers. They are strict: they refuse what the pages do not mention.
package apitest

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// API is a server.
type API struct {
	*httptest.Server

	// Key is the API token that it accepts.
	Key string

	mu       sync.Mutex
	webhooks []map[string]any // in the order of their creation
	created  int
	calls    []Call
	failures []*Failure
	respell  func(string) string // nil for none
	done     chan struct{}       // closed at the end of the test

	provider provider
}

// Call is a request that a server got.
type Call struct {
	Method string         // such as POST
	Path   string         // without the query
	Body   map[string]any // nil for none
}

// Failure is what a server does instead of its normal answer.
type Failure struct {
	// Method and Path select the call that fails. Path "": any path.
	Method, Path string

	// Status is the status of the answer; 0 is no answer until the client gives up.
	Status int
	Header map[string]string // of the answer
	Body   string            // of the answer

	// Break breaks the connection instead.
	Break bool

	// AfterEffect makes the call take effect before it fails.
	AfterEffect bool

	// Times is how many calls fail. Default: 1.
	Times int

	// Reached receives a value, if it has room, when a call fails: after its effect,
	// with AfterEffect.
	Reached chan<- struct{}
}

// provider is how one API differs from another. Its methods are called with the
// lock held, and return a status and what becomes JSON.
type provider interface {
	isAuthorized(r *http.Request, key string) bool
	path() string
	list(webhooks []map[string]any) any
	get(webhook map[string]any) (status int, answer any)
	create(id int, body map[string]any) (webhook map[string]any, status int, answer any)
	update(webhook, body map[string]any) (status int, answer any)
	deleted(webhook map[string]any) any
	updateMethod() string
}

func start(t testing.TB, key string, p provider) *API {
	a := &API{Key: key, provider: p, done: make(chan struct{})}
	a.Server = httptest.NewServer(a)
	t.Cleanup(func() {
		close(a.done)
		a.Close()
	})
	return a
}

// Fail makes a call fail.
func (a *API) Fail(f Failure) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f.Times = max(f.Times, 1)
	a.failures = append(a.failures, &f)
}

// Mend removes all failures.
func (a *API) Mend() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failures = nil
}

// Respell makes the server store each URL that it gets from now on in another
// spelling; nil for the one that it gets.
func (a *API) Respell(respell func(url string) string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.respell = respell
}

// Calls returns the calls since the last time, without those that failed before
// they had an effect.
func (a *API) Calls() []Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls
	a.calls = nil
	return calls
}

// Changes returns the calls since the last time that are not a GET.
func (a *API) Changes() []Call {
	var changes []Call
	for _, call := range a.Calls() {
		if call.Method != http.MethodGet {
			changes = append(changes, call)
		}
	}
	return changes
}

// Webhooks returns all webhooks.
func (a *API) Webhooks() []map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	webhooks := make([]map[string]any, len(a.webhooks))
	for i, webhook := range a.webhooks {
		webhooks[i] = maps.Clone(webhook)
	}
	return webhooks
}

// Add adds a webhook that was not created through the API.
func (a *API) Add(webhook map[string]any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.webhooks = append(a.webhooks, webhook)
}

// Set sets a member of all webhooks.
func (a *API) Set(member string, value any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, webhook := range a.webhooks {
		webhook[member] = value
	}
}

// ServeHTTP answers one call.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	failure := a.failure(r)
	if failure != nil && !failure.AfterEffect {
		failure.answer(w, r, a.done)
		return
	}
	status, answer := a.serve(r, content)
	if failure != nil {
		failure.answer(w, r, a.done)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

func (a *API) failure(r *http.Request) *Failure {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.failures {
		if f.Times > 0 && f.Method == r.Method && (f.Path == "" || f.Path == r.URL.Path) {
			f.Times--
			return f
		}
	}
	return nil
}

func (f *Failure) answer(w http.ResponseWriter, r *http.Request, done chan struct{}) {
	select {
	case f.Reached <- struct{}{}:
	default:
	}
	switch {
	case f.Break:
		panic(http.ErrAbortHandler)
	case f.Status == 0:
		select {
		case <-r.Context().Done():
		case <-done:
		case <-time.After(time.Minute):
		}
		return
	}
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, f.Body)
}

// problem is an answer with an error message. The providers' pages show none.
func problem(text string) map[string]any { return map[string]any{"message": text} }

func (a *API) serve(r *http.Request, content []byte) (status int, answer any) {
	if !a.provider.isAuthorized(r, a.Key) {
		return http.StatusUnauthorized, problem("the token is wrong")
	}
	id, isOne := strings.CutPrefix(r.URL.Path, a.provider.path()+"/")
	if !isOne && r.URL.Path != a.provider.path() || r.URL.RawQuery != "" {
		return http.StatusNotFound, problem("there is nothing here")
	}
	var body map[string]any
	if r.Method != http.MethodGet && r.Method != http.MethodDelete {
		if r.Header.Get("Content-Type") != "application/json" || json.Unmarshal(content, &body) != nil {
			return http.StatusBadRequest, problem("the body is not JSON")
		}
	} else if len(content) > 0 {
		return http.StatusBadRequest, problem("there is a body")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, Call{r.Method, r.URL.Path, body})
	if !isOne {
		return a.serveAll(r.Method, body)
	}
	return a.serveOne(r.Method, id, body)
}

func (a *API) serveAll(method string, body map[string]any) (status int, answer any) {
	switch method {
	case http.MethodGet:
		return http.StatusOK, a.provider.list(a.webhooks)
	case http.MethodPost:
		a.created++
		webhook, status, answer := a.provider.create(a.created, body)
		if webhook != nil {
			a.webhooks = append(a.webhooks, webhook)
			a.keepURL(webhook, body, answer)
		}
		return status, answer
	}
	return http.StatusMethodNotAllowed, problem("another method")
}

func (a *API) serveOne(method, id string, body map[string]any) (status int, answer any) {
	for i, webhook := range a.webhooks {
		if text(webhook["id"]) != id {
			continue
		}
		switch method {
		case http.MethodGet:
			return a.provider.get(webhook)
		case a.provider.updateMethod():
			status, answer := a.provider.update(webhook, body)
			if status == http.StatusOK {
				a.keepURL(webhook, body, answer)
			}
			return status, answer
		case http.MethodDelete:
			a.webhooks = append(a.webhooks[:i:i], a.webhooks[i+1:]...)
			return http.StatusOK, a.provider.deleted(webhook)
		}
		return http.StatusMethodNotAllowed, problem("another method")
	}
	return http.StatusNotFound, problem("there is no such webhook")
}

// keepURL spells a URL that was sent as the server does, also in its answer.
func (a *API) keepURL(webhook, body map[string]any, answer any) {
	sent, isSent := body["url"].(string)
	if a.respell == nil || !isSent {
		return
	}
	webhook["url"] = a.respell(sent)
	if shown, ok := answer.(map[string]any); ok && shown["url"] != nil {
		shown["url"] = webhook["url"]
	}
}

// text returns an id as it is in a path.
func text(id any) string {
	content, _ := json.Marshal(id)
	return strings.Trim(string(content), `"`)
}
