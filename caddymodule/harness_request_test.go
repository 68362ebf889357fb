package caddymodule_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// answer is what a provider gets back.
type answer struct {
	status int
	header http.Header
	body   string
}

// client keeps connections alive, as providers do.
var client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}

// request makes a POST to the gateway.
func request(t testing.TB, path string, body []byte, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, gatewayURL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func do(t testing.TB, r *http.Request) answer {
	t.Helper()
	a, err := try(r)
	for n := 0; n < 3 && isReload(err) && r.GetBody != nil; n++ {
		r.Body, _ = r.GetBody()
		a, err = try(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// isReload reports whether an error comes of a reload just now: the connection
// was to a server that is being ended; see TestReload.
func isReload(err error) bool {
	return (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)) && time.Since(loaded) < 2*time.Second
}

// try is do for goroutines, which must not end the test.
func try(r *http.Request) (answer, error) {
	response, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}, err
}

func post(t testing.TB, path string, body []byte, headers ...string) answer {
	t.Helper()
	return do(t, request(t, path, body, headers...))
}

// wantStatus posts and checks the status; a refusal must not say why.
func wantStatus(t testing.TB, status int, path string, body []byte, headers ...string) answer {
	t.Helper()
	return wantStatusFor(t, status, request(t, path, body, headers...))
}

// wantForm is wantStatus for a form.
func wantForm(t testing.TB, status int, path string, body []byte, headers ...string) answer {
	t.Helper()
	return wantStatusOf(t, status, path, "application/x-www-form-urlencoded", body, headers...)
}

// wantStatusOf is wantStatus for a body of any type.
func wantStatusOf(t testing.TB, status int, path, contentType string, body []byte, headers ...string) answer {
	t.Helper()
	r := request(t, path, body, headers...)
	r.Header.Set("Content-Type", contentType)
	return wantStatusFor(t, status, r)
}

// wantStatusFor checks the answer to a request.
func wantStatusFor(t testing.TB, status int, r *http.Request) answer {
	t.Helper()
	a := do(t, r)
	if a.status != status {
		t.Fatalf("POST %.60s: got %d %q, want %d", r.URL.RequestURI(), a.status, a.body, status)
	}
	if status >= 400 && status < 500 && a.body != "" {
		t.Fatalf("POST %.60s: a refusal says why: %q", r.URL.RequestURI(), a.body)
	}
	return a
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }
