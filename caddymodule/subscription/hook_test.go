package subscription_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// hook answers as the gateway does: a GET with the challenge, if the token is
// right, and a POST without an event with 400, if all credentials are right.
type hook struct {
	*httptest.Server
	t testing.TB

	mu         sync.Mutex
	token      string
	headers    []subscription.Header
	basicAuth  subscription.BasicAuth
	takesEmpty bool
	answer     http.HandlerFunc // instead, nil for none
	visits     []visit
}

// visit is a request that a hook got.
type visit struct {
	method, path string
	query        url.Values
	header       http.Header
}

// newHook starts a hook for the credentials of newChatBot.
func newHook(t testing.TB) *hook {
	h := &hook{
		t: t, token: token,
		headers:   []subscription.Header{{Name: "X-Proof", Value: headerValue}},
		basicAuth: subscription.BasicAuth{Username: username, Password: password},
	}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	if err != nil || len(content) > 0 {
		h.t.Errorf("the URL is sent %q, %v", content, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.visits = append(h.visits, visit{r.Method, r.URL.Path, r.URL.Query(), r.Header.Clone()})
	switch {
	case h.answer != nil:
		h.answer(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case r.URL.Query().Get("token") != h.token || r.Method == http.MethodPost && !h.isProved(r):
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodGet:
		_, _ = w.Write([]byte(r.URL.Query().Get("challenge")))
	case !h.takesEmpty:
		http.Error(w, "the body is not JSON", http.StatusBadRequest)
	}
}

// isProved reports whether a request has the headers and the basic auth.
func (h *hook) isProved(r *http.Request) bool {
	for _, header := range h.headers {
		if !slices.Equal(r.Header.Values(header.Name), []string{header.Value}) {
			return false
		}
	}
	if h.basicAuth == (subscription.BasicAuth{}) {
		return true
	}
	user, pass, _ := r.BasicAuth()
	return subscription.BasicAuth{Username: user, Password: pass} == h.basicAuth
}

// expect makes the hook take another token.
func (h *hook) expect(token string) { h.set(func(h *hook) { h.token = token }) }

// say sets another answer; nil for the gateway's.
func (h *hook) say(answer http.HandlerFunc) { h.set(func(h *hook) { h.answer = answer }) }

// set changes what the hook expects and does.
func (h *hook) set(change func(*hook)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}

// called returns the requests since the last time.
func (h *hook) called() []visit {
	h.mu.Lock()
	defer h.mu.Unlock()
	visits := h.visits
	h.visits = nil
	return visits
}
