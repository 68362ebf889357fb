package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

var (
	firstKey  = envelope.NewKey("/webhooks/notifly", "1")
	secondKey = envelope.NewKey("/webhooks/notifly", "2")
)

func TestParseSelection(t *testing.T) {
	quoted := fmt.Sprintf
	all := []string{"ids", "dead", "since", "filter"}
	for _, c := range []struct {
		body string
		ways []string
		want queue.Selection
		err  string
	}{
		{`{"dead":true}`, all, queue.Selection{Dead: true}, ""},
		{`{"dead":true,"destination":"crm"}` + "\n", all, queue.Selection{Dead: true, Destination: "crm"}, ""},
		{`{"since":"2026-01-02T15:04:05Z","dead":false}`, all, queue.Selection{Since: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)}, ""},
		{quoted(`{"ids":[%q,%q,%q]}`, firstKey, secondKey, firstKey), all, queue.Selection{Keys: []envelope.Key{firstKey, secondKey}}, ""},

		{`{"dead":true,"cause":"answered 500","dry_run":true}`, all, queue.Selection{Dead: true, Cause: "answered 500", DryRun: true}, ""},
		{`{"dead":true,"dry_run":false}`, all, queue.Selection{Dead: true}, ""},

		{``, all, queue.Selection{}, "it is empty"},
		{`null`, all, queue.Selection{}, "not an object"},
		{`{}`, all, queue.Selection{}, "exactly one of ids, dead, since"},
		{`{"destination":"crm"}`, all, queue.Selection{}, "exactly one of"},
		{`{"ids":[]}`, all, queue.Selection{}, `member "ids" is empty; leave it out`},
		{`{"dead":true,"ids":[ ]}`, all, queue.Selection{}, `member "ids" is empty`},
		{`{"dead":true,"since":""}`, all, queue.Selection{}, `member "since" is empty`},
		{strings.Repeat("[", maxBody), all, queue.Selection{}, "not JSON"},
		{quoted(`{"ids":[%q],"dead":true}`, firstKey), all, queue.Selection{}, "exactly one of"},
		{`{"dead":true,"since":"2026-01-02T15:04:05Z"}`, all, queue.Selection{}, "exactly one of"},
		{`{"since":"2026-01-02T15:04:05Z"}`, all[:2], queue.Selection{}, "exactly one of ids, dead"},
		{`{"dead":true,"destination":""}`, all, queue.Selection{}, `member "destination" is empty`},
		{`{"dead":true,"delivery":"crm"}`, all, queue.Selection{}, `unknown member "delivery"; use ids`},
		{`{"dead":true}{"destination":"crm"}`, all, queue.Selection{}, "not JSON"},
		{`{"dead":true}}`, all, queue.Selection{}, "not JSON"},
		{`{"dead":true,"destination":null}`, all, queue.Selection{}, `member "destination" is null; leave it out`},
		{`{"dead":null}`, all, queue.Selection{}, `member "dead" is null`},
		{`{"dead":true,"destination":"crm","destination":"archive"}`, all, queue.Selection{}, `duplicate member "destination"`},
		{`{"dead":true,"dest\u0069nation":"crm","destination":"crm"}`, all, queue.Selection{}, `duplicate member "destination"`},
		{`{"dead":true,"Destination":"crm"}`, all, queue.Selection{}, `unknown member "Destination"`},
		{`{"dead":true,"destination":7}`, all, queue.Selection{}, `member "destination" must be a name`},
		{`{"ids":"msg_"}`, all, queue.Selection{}, `member "ids" must be a list of ids`},
		{`{"ids":[null]}`, all, queue.Selection{}, `"" does not name an event`},
		{`{"dead":"yes"}`, all, queue.Selection{}, "not a selection"},
		{`["msg_"]`, all, queue.Selection{}, "not a selection"},
		{`{"ids":["msg_x"]}`, all, queue.Selection{}, `"msg_x" does not name an event`},
		{quoted(`{"ids":[%q,""]}`, firstKey), all, queue.Selection{}, `"" does not name an event`},
		{`{"cause":"answered 500"}`, all, queue.Selection{}, "exactly one of"},
		{`{"dry_run":true}`, all, queue.Selection{}, "exactly one of"},
		{`{"dead":true,"cause":""}`, all, queue.Selection{}, `member "cause" is empty`},
		{`{"dead":true,"cause":null}`, all, queue.Selection{}, `member "cause" is null`},
		{`{"dead":true,"cause":500}`, all, queue.Selection{}, `member "cause" must be a string`},
		{`{"dead":true,"dry_run":"yes"}`, all, queue.Selection{}, `member "dry_run" must be true or false`},
		{`{"dead":true,"dry_run":null}`, all, queue.Selection{}, `member "dry_run" is null`},
		{`{"since":"2026-01-02T15:04:05Z","cause":"answered 500"}`, all, queue.Selection{}, `"cause" is for dead letters`},
		{`{"filter":{"destination":"crm"}}`, all, queue.Selection{}, "filter: a destination alone selects all of its events; add a member"},
		{`{"filter":{}}`, all, queue.Selection{}, "filter: it is empty; select events by at least one of provider, source"},
		{`{"filter":null}`, all, queue.Selection{}, `member "filter" is null`},
		{`{"filter":""}`, all, queue.Selection{}, `member "filter" is empty`},
		{`{"filter":[]}`, all, queue.Selection{}, `member "filter" is empty`},
		{`{"filter":["crm"]}`, all, queue.Selection{}, "filter: it is not an object"},
		{`{"filter":"crm"}`, all, queue.Selection{}, "filter: it is not an object"},
		{`{"filter":{"provider":"notifly"},"filter":{"state":"dead"}}`, all, queue.Selection{}, `duplicate member "filter"`},
		{`{"filter":{"provider":"notifly","provider":"wotnot"}}`, all, queue.Selection{}, `filter: duplicate member "provider"`},
		{`{"filter":{"provider":"notifly","partitionKey":"c1"}}`, all, queue.Selection{}, `filter: unknown member "partitionKey"; use provider`},
		{`{"filter":{"provider":null}}`, all, queue.Selection{}, `filter: member "provider" is null`},
		{`{"filter":{"provider":"notifly","subject":""}}`, all, queue.Selection{}, `filter: member "subject" is empty`},
		{`{"filter":{"provider":7}}`, all, queue.Selection{}, `filter: member "provider" must be a string`},
		{`{"filter":{"provider":{"a":"b"}}}`, all, queue.Selection{}, `filter: member "provider" must be a string`},
		{`{"filter":{"provider":"notifly"},"destination":"crm"}`, all, queue.Selection{}, `put it into the filter`},
		{`{"filter":{"provider":"notifly"},"dead":true}`, all, queue.Selection{}, "exactly one of"},
		{`{"filter":{"provider":"notifly"}}`, all[:2], queue.Selection{}, "exactly one of ids, dead"},
		{`{"since":"yesterday"}`, all, queue.Selection{}, `"yesterday" is not a time in RFC 3339`},
		{`{"since":"2026-01-02"}`, all, queue.Selection{}, "is not a time"},
		{`{"since":"0001-01-01T00:00:00Z"}`, all, queue.Selection{}, "the year 1"},
		{`{"since":"9999-01-01T00:00:00Z"}`, all, queue.Selection{}, "the year 9999"},
	} {
		got, err := parseSelection([]byte(c.body), c.ways)
		switch {
		case c.err == "" && (err != nil || !reflect.DeepEqual(got, c.want)):
			t.Errorf("%s: %+v, %v; want %+v", c.body, got, err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%s: %v; want %s", c.body, err, c.err)
		}
	}
}

func TestReadQuery(t *testing.T) {
	for query, want := range map[string]string{
		"":                      "",
		"destination=crm":       "",
		"destinatoin=crm":       `unknown parameter "destinatoin"; use destination, limit`,
		"destination=":          "takes one value",
		"limit=1&limit=2":       "takes one value",
		"destination=%zz":       "malformed",
		"destination=a;limit=1": "malformed",
	} {
		_, err := readQuery(httptest.NewRequest(http.MethodGet, "/webhooks/dead?"+query, nil), "destination", "limit")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", query, err, want)
		}
	}
	for query, want := range map[string]int{"": 100, "limit=1": 1, "limit=1000": 1000, "limit=0": 0, "limit=1001": 0, "limit=-1": 0, "limit=x": 0} {
		read, err := readQuery(httptest.NewRequest(http.MethodGet, "/webhooks/dead?"+query, nil), "limit")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readLimit(read); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v; want %d", query, got, err, want)
		}
	}
}

// adminMux serves the routes as Caddy's admin endpoint does.
func adminMux() http.Handler {
	mux := http.NewServeMux()
	for _, route := range (API{}).Routes() {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			err := route.Handler.ServeHTTP(w, r)
			if err == nil {
				return
			}
			answered, ok := any(err).(caddy.APIError) // Caddy does not unwrap it
			if !ok {
				panic(err)
			}
			if answered.Message == "" {
				answered.Message = answered.Err.Error()
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(answered.HTTPStatus)
			_ = json.NewEncoder(w).Encode(answered)
		})
	}
	return mux
}

// Without a running configuration there is no queue to ask.
func TestAdminRoutes(t *testing.T) {
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodGet, "/webhooks/ready", 503, ""},
		{http.MethodHead, "/webhooks/ready", 503, ""},
		{http.MethodPost, "/webhooks/ready", 405, "GET"},
		{http.MethodGet, "/webhooks/destinations", 503, ""},
		{http.MethodGet, "/webhooks/queue", 503, ""},
		{http.MethodPost, "/webhooks/queue", 405, "GET"},
		{http.MethodGet, "/webhooks/blocks", 503, ""},
		{http.MethodGet, "/webhooks/causes", 503, ""},
		{http.MethodGet, "/webhooks/events", 503, ""},
		{http.MethodGet, "/webhooks/events/msg_x", 503, ""},
		{http.MethodGet, "/webhooks/events/msg_x/envelope", 503, ""},
		{http.MethodGet, "/webhooks/events/msg_x/original", 503, ""},
		{http.MethodGet, "/webhooks/refusals", 503, ""},
		{http.MethodGet, "/webhooks/tail", 503, ""},
		{http.MethodHead, "/webhooks/tail", 503, ""},
		{http.MethodPost, "/webhooks/blocks", 405, "GET"},
		{http.MethodDelete, "/webhooks/causes", 405, "GET"},
		{http.MethodPost, "/webhooks/events", 405, "GET"},
		{http.MethodDelete, "/webhooks/events/msg_x", 405, "GET"},
		{http.MethodPut, "/webhooks/events/msg_x/envelope", 405, "GET"},
		{http.MethodPut, "/webhooks/events/msg_x/original", 405, "GET"},
		{http.MethodDelete, "/webhooks/refusals", 405, "GET"},
		{http.MethodPost, "/webhooks/tail", 405, "GET"},
		{http.MethodGet, "/webhooks/events/", 404, ""},
		{http.MethodGet, "/webhooks/events/msg_x/body", 404, ""},
		{http.MethodDelete, "/webhooks/dead", 503, ""},
		{http.MethodPost, "/webhooks/dead", 405, "DELETE, GET"},
		{http.MethodGet, "/webhooks/dead/msg_x", 503, ""},
		{http.MethodPut, "/webhooks/dead/msg_x", 405, "DELETE, GET"},
		{http.MethodGet, "/webhooks/replay", 405, "POST"},
		{http.MethodPost, "/webhooks/pause/crm", 503, ""},
		{http.MethodGet, "/webhooks/resume/crm", 405, "POST"},
		{http.MethodPost, "/webhooks/forget/c%2Frm", 503, ""},
		{http.MethodPost, "/webhooks/forget/", 404, ""},
		{http.MethodGet, "/webhooks/dead/", 404, ""},
		{http.MethodGet, "/webhooks/", 404, ""},
		{http.MethodGet, "/webhooks/nothing/here", 404, ""},
	} {
		w := httptest.NewRecorder()
		adminMux().ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		var answer struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Error == "" {
			t.Errorf("%s %s: %s", c.method, c.path, w.Body)
		}
		if w.Code != c.status || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", c.method, c.path, w.Code, w.Header().Get("Allow"), c.status, c.allow)
		}
	}
}

func TestAdminBodyIsBounded(t *testing.T) {
	p := page{http.MethodPost: func(r *http.Request) (any, error) { return readSelection(r, "ids") }}
	body := strings.NewReader(`{"ids":["` + strings.Repeat("x", maxBody) + `"]}`)
	err := p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", body))
	var got caddy.APIError
	if !errors.As(err, &got) || got.HTTPStatus != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %v", got.HTTPStatus, got)
	}
}

// TestToAPIError shows that a client reads the errors it can mend, and no internal
// ones.
func TestToAPIError(t *testing.T) {
	inside := errors.New("pq: password of host db")
	for _, c := range []struct {
		err     error
		status  int
		message string
	}{
		{fmt.Errorf("%w: msg_a", queue.ErrUnknown), 404, ""},
		{fmt.Errorf("%w: crm", queue.ErrConfigured), 409, ""},
		{fmt.Errorf("%w: %w", queue.ErrUnavailable, inside), 503, "the queue is not available; see Caddy's log"},
		{&queue.LogError{Logs: []int{2}, Err: fmt.Errorf("%w: %w", queue.ErrUnavailable, inside)}, 503, "log 2 of the queue: not available; see Caddy's log"},
		{&queue.LogError{Logs: []int{1, 3}, Err: queue.ErrUnavailable}, 503, "logs 1, 3 of the queue: not available; see Caddy's log"},
		{queue.ErrClosed, 503, "the queue is not available; see Caddy's log"},
		{inside, 500, "internal error; see Caddy's log"},
		{fmt.Errorf("wrapped: %w", webhooks.ErrNotRunning), 503, ""},
	} {
		got := toAPIError(c.err)
		if got.HTTPStatus != c.status || got.Message != c.message {
			t.Errorf("%v: %d %q; want %d %q", c.err, got.HTTPStatus, got.Message, c.status, c.message)
		}
		if got.Message == "" && !errors.Is(got.Err, c.err) {
			t.Errorf("%v: answered with %v", c.err, got.Err)
		}
	}
}

func TestNoDestination(t *testing.T) {
	three := []queue.DestinationStatus{{Destination: "archive"}, {Destination: "crm"}, {Destination: "old"}}
	for _, c := range []struct {
		destinations []queue.DestinationStatus
		purpose      string
		want         string
	}{
		{nil, "", `no destination "cmr"; there is none`},
		{nil, " to forget", `no destination "cmr"; there is none to forget`},
		{three[:1], "", `no destination "cmr"; there is archive`},
		{three[:2], "", `no destination "cmr"; there are archive and crm`},
		{three, " to forget", `no destination "cmr"; there are archive, crm and old to forget`},
	} {
		if err := noDestination("cmr", c.destinations, c.purpose); err.Error() != c.want {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
}

func TestDeadLetterJSON(t *testing.T) {
	letter := DeadLetter{queue.DeadLetter{ID: "msg_a", Destination: "crm", Body: []byte("not this")}, json.RawMessage(`{"a":1}`)}
	encoded, err := json.Marshal(letter)
	if err != nil {
		t.Fatal(err)
	}
	var read map[string]any
	if err := json.Unmarshal(encoded, &read); err != nil {
		t.Fatal(err)
	}
	if read["id"] != "msg_a" || !reflect.DeepEqual(read["body"], map[string]any{"a": 1.0}) {
		t.Errorf("%s", encoded)
	}
	if encoded, _ := json.Marshal(orEmpty[queue.DeadLetter](nil)); string(encoded) != "[]" {
		t.Errorf("no dead letters are %s", encoded)
	}
}
