package subscription_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// TestRequest pins the headers of each request: the API token where the provider
// wants it, in its spelling, and nowhere else.
func TestRequest(t *testing.T) {
	for name, start := range both {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			seen := &recorder{RoundTripper: s.Client.HTTP.Transport}
			s.Client.HTTP.Transport = seen
			s.Client.URL += "/" // which is as good
			s.mustApply(t)
			for _, r := range seen.requests {
				want := http.Header{"Accept": {"application/json"}, "User-Agent": {"caddy-webhooks"}}
				if name == "ndoto" {
					want["api_access_token"] = []string{apiKey}
				} else {
					want["Authorization"] = []string{"Bearer " + apiKey}
				}
				if r.Method != http.MethodGet {
					want["Content-Type"] = []string{"application/json"}
				}
				if !strings.HasPrefix(r.URL.String(), s.API.URL+s.path("")) {
					if name == "chatbot" && strings.HasPrefix(r.URL.String(), s.hook.URL) {
						want = http.Header{} // the challenge
					} else {
						t.Errorf("it calls %s", r.URL)
					}
				} else {
					checkSafe(t, r.URL.String())
				}
				if !reflect.DeepEqual(r.Header, want) {
					t.Errorf("%s %s has %v, want %v", r.Method, r.URL.Path, r.Header, want)
				}
			}
			if len(seen.requests) == 0 {
				t.Error("it calls nothing")
			}
		})
	}
}

// recorder notes requests on their way.
type recorder struct {
	http.RoundTripper
	requests []*http.Request
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.requests = append(r.requests, request.Clone(request.Context()))
	return r.RoundTripper.RoundTrip(request)
}

// TestPathOfAccount shows that an account cannot lead to another path.
func TestPathOfAccount(t *testing.T) {
	var got string
	client := &subscription.Client{
		API: description(t, "ndoto"), URL: "https://api.example.com/base", Account: "a/b?c#d e",
		HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			got = r.URL.String()
			return nil, errors.New("enough")
		})},
	}
	_, err := client.List(context.Background())
	checkError(t, err, "cannot list subscriptions: the connection to https://api.example.com/base failed (enough); check `api`, or try again")
	if want := "https://api.example.com/base/api/v1/accounts/a%2Fb%3Fc%23d%20e/webhooks"; got != want {
		t.Errorf("it calls %s, want %s", got, want)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestNotReached pins the errors without a server, and after the caller has given
// up.
func TestNotReached(t *testing.T) {
	server := httptest.NewServer(nil)
	at := server.URL
	server.Close()
	client := &subscription.Client{API: description(t, "chatbot"), URL: at, Key: apiKey, HTTP: subscription.NewHTTPClient(timeout)}
	_, err := client.List(context.Background())
	if err == nil {
		t.Fatal("no error")
	}
	begin, end := "cannot list subscriptions: the connection to "+at+" failed (dial tcp ", "; check `api`, or try again"
	if got := err.Error(); !strings.HasPrefix(got, begin) || !strings.HasSuffix(got, end) || strings.ContainsFunc(got, unicode.IsControl) {
		t.Errorf("got %q, want %s … %s", got, begin, end)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err = client.Delete(ctx, "7")
	checkError(t, err, "cannot delete subscription 7: the connection to "+at+" failed (context canceled); the outcome is unknown; run the command again, it checks first")
}

// TestOddURL pins the error for a URL of an API that cannot be called. JSON can
// hold one.
func TestOddURL(t *testing.T) {
	client := &subscription.Client{API: description(t, "chatbot"), URL: "http://[::1/" + apiKey, Key: apiKey, HTTP: subscription.NewHTTPClient(timeout)}
	_, err := client.List(context.Background())
	checkError(t, err, "cannot list subscriptions: the URL of the API is invalid; check `api` and `account`")
}

// TestLongestAnswer shows that an answer of the maximum length is read.
func TestLongestAnswer(t *testing.T) {
	s := newChatBot(t)
	s.Fail(apitest.Failure{Method: http.MethodGet, Status: 200, Body: "[" + strings.Repeat(" ", longest-2) + "]"})
	if list, err := s.Client.List(context.Background()); err != nil || len(list) != 0 {
		t.Errorf("got %v, %v", list, err)
	}
}

// TestFailureOfLook shows that no single change is made if the list cannot be
// read.
func TestFailureOfLook(t *testing.T) {
	ctx := context.Background()
	s := newNdoto(t)
	s.Client.Key = otherToken
	want := "cannot list subscriptions: " + s.API.URL + " rejected the API token (401); check `key`"
	_, err := s.Create(ctx)
	checkError(t, err, want)
	_, err = s.Update(ctx, "7")
	checkError(t, err, want)
	_, err = s.Delete(ctx, "7")
	checkError(t, err, want)
	_, err = s.Get(ctx, "7")
	checkError(t, err, want)
	_, _, err = s.Has(ctx, "7")
	checkError(t, err, want)
	_, _, err = s.List(ctx)
	checkError(t, err, want)
	if calls := s.Calls(); len(calls) > 0 {
		t.Errorf("it calls %v", calls)
	}
}
