package caddymodule_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// application is a real upstream server that keeps what it gets.
type application struct {
	*httptest.Server
	mu     sync.Mutex
	got    []got
	answer func(w http.ResponseWriter, r *http.Request, n int) // n counts from 1
}

// startApplication starts an application that answers 200, or as answer says.
func startApplication(t testing.TB, answer ...func(w http.ResponseWriter, r *http.Request, n int)) *application {
	a := new(application)
	if len(answer) > 0 {
		a.answer = answer[0]
	}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

// ServeHTTP keeps the request and answers it.
func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.got = append(a.got, got{r.Method, r.RequestURI, r.Header, body, r.ContentLength, r.TransferEncoding})
	n := len(a.got)
	a.mu.Unlock()
	if a.answer != nil {
		a.answer(w, r, n)
	}
}

// proxy is the directive that forwards to the application.
func (a *application) proxy() string {
	return "reverse_proxy " + strings.TrimPrefix(a.URL, "http://")
}

// requests returns what the application got.
func (a *application) requests() []got {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]got(nil), a.got...)
}

// want checks how many requests the application got, and returns them.
func (a *application) want(t testing.TB, n int) []got {
	t.Helper()
	requests := a.requests()
	if len(requests) != n {
		t.Fatalf("the application got %d requests, want %d", len(requests), n)
	}
	return requests
}

// toPath returns what came to one path.
func (a *application) toPath(path string) []got {
	var found []got
	for _, r := range a.requests() {
		if r.URI == path {
			found = append(found, r)
		}
	}
	return found
}

// got is one request that an application got.
type got struct {
	Method, URI string
	Header      http.Header
	Body        []byte
	Length      int64
	Encoding    []string
}

// event is the body as far as tests look at it.
type event struct {
	ID, Source, Type, Subject, Time, Provider string
	PartitionKey                              string `json:"partitionkey"`
	ProviderType                              string `json:"providertype"`
	OriginalType                              string `json:"originaltype"`
	Data                                      map[string]json.RawMessage
}

func (g got) event(t testing.TB) event {
	t.Helper()
	var e event
	if err := json.Unmarshal(g.Body, &e); err != nil {
		t.Fatalf("not an envelope: %v\n%s", err, g.Body)
	}
	return e
}

// messageText is the text of the message in an event.
func messageText(e event) string {
	var message struct{ Text string }
	_ = json.Unmarshal(e.Data["message"], &message)
	return message.Text
}

// texts are the message texts of what an application got.
func texts(t testing.TB, requests []got) string {
	t.Helper()
	var all []string
	for _, r := range requests {
		var message struct{ Text string }
		if err := json.Unmarshal(r.event(t).Data["message"], &message); err != nil {
			t.Fatal(err)
		}
		all = append(all, message.Text)
	}
	return strings.Join(all, " ")
}
