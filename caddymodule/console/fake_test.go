package console

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

var now = time.Date(2026, 5, 4, 14, 20, 0, 0, time.UTC)

// fake is a journal and queue with fixed answers.
type fake struct {
	events       journal.Events
	history      *journal.History
	refusals     []journal.Refusal
	blocks       []journal.Block
	destinations []journal.Destination
	causes       []queue.Cause
	letters      []queue.DeadLetter
	since        time.Time // the gateway started
	noQueue      bool
	err          error // of all reads of the queue
	hangs        bool  // reads of the queue wait for their context

	// change is what Replay and Discard do.
	change func(ctx context.Context, s queue.Selection) (int64, error)

	mu      sync.Mutex
	search  queue.Search // the last one
	page    journal.Page
	changes []string
}

func (f *fake) read(ctx context.Context) error {
	if f.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.err
}

func (f *fake) Events(ctx context.Context, s queue.Search, p journal.Page) (journal.Events, error) {
	f.mu.Lock()
	f.search, f.page = s, p
	f.mu.Unlock()
	found := f.events
	found.Events = slices.Clone(found.Events)
	return found, f.read(ctx)
}

func (f *fake) Event(ctx context.Context, key envelope.Key) (*journal.History, error) {
	if f.history == nil {
		return nil, cmp.Or(f.read(ctx), queue.ErrUnknown)
	}
	return f.history, f.read(ctx)
}

func (f *fake) Refusals(filter journal.RefusalFilter, p journal.Page) (journal.Refusals, error) {
	return journal.Refusals{Refusals: f.refusals[:min(len(f.refusals), p.Limit)]}, nil
}

func (f *fake) Blocks(context.Context) (journal.Blocks, error) {
	return journal.Blocks{Blocks: f.blocks}, nil
}

func (f *fake) Destinations(ctx context.Context) ([]journal.Destination, error) {
	return f.destinations, f.read(ctx)
}

func (f *fake) Since() time.Time { return f.since }

func (f *fake) Follow(queue.Search, string) (*journal.Feed, error) { return nil, journal.ErrNoQueue }

func (f *fake) control() (controller, error) {
	if f.noQueue {
		return nil, journal.ErrNoQueue
	}
	return f, nil
}

func (f *fake) DownLogs() []int { return nil }

func (f *fake) Size() (bytes, limit int64) { return 1 << 20, 1 << 30 }

func (f *fake) Ready(ctx context.Context) error { return f.read(ctx) }

func (f *fake) Causes(ctx context.Context, _ string) ([]queue.Cause, error) {
	return f.causes, f.read(ctx)
}

func (f *fake) DeadLetters(ctx context.Context, destination string, limit int) ([]queue.DeadLetter, error) {
	letters := slices.DeleteFunc(slices.Clone(f.letters), func(d queue.DeadLetter) bool {
		return destination != "" && d.Destination != destination
	})
	return letters[:min(len(letters), limit)], f.read(ctx)
}

func (f *fake) Replay(ctx context.Context, s queue.Selection) (int64, error) {
	return f.apply(ctx, "replay", s)
}

func (f *fake) Discard(ctx context.Context, s queue.Selection) (int64, error) {
	return f.apply(ctx, "discard", s)
}

func (f *fake) apply(ctx context.Context, action string, s queue.Selection) (int64, error) {
	if s.DryRun {
		action = "count"
	}
	f.note(action + " " + selected(s))
	if f.change != nil && !s.DryRun {
		return f.change(ctx, s)
	}
	return int64(max(len(s.Keys), 1)), nil
}

func (f *fake) Pause(_ context.Context, name string) error  { f.note("pause " + name); return f.err }
func (f *fake) Resume(_ context.Context, name string) error { f.note("resume " + name); return f.err }

func (f *fake) note(change string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changes = append(f.changes, change)
}

// changed returns the changes since the last time.
func (f *fake) changed() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	changes := strings.Join(f.changes, "; ")
	f.changes = nil
	return changes
}

// selected is a selection in words.
func selected(s queue.Selection) string {
	var words []string
	for _, key := range s.Keys {
		words = append(words, key.String()[:8])
	}
	if s.Dead {
		words = append(words, "dead")
	}
	for name, value := range map[string]string{"at ": s.Destination, "because ": s.Cause} {
		if value != "" {
			words = append(words, name+value)
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// site is a console with a fake journal.
type site struct {
	t       *testing.T
	handler *Handler
	fake    *fake
	logs    *observer.ObservedLogs
}

func newSite(t *testing.T, f *fake) *site {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	logger := zap.New(core)
	h := &Handler{
		ending:  make(chan struct{}),
		process: newProcess(),
		source:  func() (reader, error) { return f, nil },
		log:     func() *zap.Logger { return logger },
		now:     func() time.Time { return now },

		patience: readTimeout,
	}
	t.Cleanup(func() { _ = h.process.Destruct() })
	return &site{t, h, f, logs}
}

// do makes a request of a user, nobody for an empty name.
func (s *site) do(user string, r *http.Request) *httptest.ResponseRecorder {
	s.t.Helper()
	repl := caddy.NewReplacer()
	if user != "" {
		repl.Set("http.auth.user.id", user)
	}
	w := httptest.NewRecorder()
	if err := s.handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl)), nil); err != nil {
		s.t.Error(err)
	}
	return w
}

func (s *site) get(path string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.do("ana", httptest.NewRequest(http.MethodGet, path, nil))
}

// want gets a page, and checks its status and that it has all of the texts.
func (s *site) want(path string, status int, texts ...string) string {
	s.t.Helper()
	w := s.get(path)
	if w.Code != status {
		s.t.Errorf("%s: %d, want %d", path, w.Code, status)
	}
	for _, text := range texts {
		if !strings.Contains(w.Body.String(), text) {
			s.t.Errorf("%s: no %q in\n%s", path, text, w.Body)
		}
	}
	return w.Body.String()
}

// post sends a form with the token of a user.
func (s *site) post(path string, fields ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	form := url.Values{"token": {s.handler.process.forgery.token("ana")}}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return s.do("ana", formRequest(path, form))
}

func formRequest(path string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// hour returns the minutes before now, of which all have ok and bad.
func hour(ok, bad int64) []journal.Minute {
	minutes := make([]journal.Minute, 60)
	for i := range minutes {
		minutes[i] = journal.Minute{Begin: now.Add(time.Duration(i-60) * time.Minute), OK: ok, Bad: bad}
	}
	return minutes
}

var (
	firstKey  = envelope.NewKey("/webhooks/notifly", "1")
	secondKey = envelope.NewKey("/webhooks/notifly", "2")
)

// busy is a gateway with something of everything.
func busy() *fake {
	delivered := queue.PastAttempt{Attempt: 2, Began: now.Add(-time.Minute), Took: 31 * time.Millisecond, TookMS: 31, Status: 200, Outcome: queue.OutcomeDelivered}
	failed := queue.PastAttempt{Attempt: 1, Began: now.Add(-2 * time.Minute), Took: 2 * time.Second, Status: 500, Outcome: queue.OutcomeRetrying, Error: "answered 500", Excerpt: "no such table"}
	first := journal.Event{Summary: queue.Summary{
		ID: firstKey.String(), EventID: "evt-1", Provider: "notifly", Source: "/webhooks/notifly", Type: "message.created",
		Subject: "conversations/7", PartitionKey: "7", Received: now.Add(-3 * time.Minute), Size: 2048, Duplicates: 2, LastDuplicate: now,
		Destinations: []queue.DeliveryStatus{
			{Destination: "archive", State: queue.StateDelivered, Attempt: 2, Attempts: []queue.PastAttempt{failed, delivered}},
			{Destination: "crm", State: queue.StateDead, Attempt: 24, LastStatus: 500},
		},
	}}
	second := journal.Event{Summary: queue.Summary{
		ID: secondKey.String(), EventID: "evt-2", Provider: "notifly", Source: "/webhooks/notifly", Type: "message.updated", Received: now.Add(-time.Minute),
	}}
	return &fake{
		events: journal.Events{Events: []journal.Event{second, first}, Next: "next-cursor"},
		history: &journal.History{
			Event:         first,
			Request:       &journal.Request{Method: "POST", URI: "/notifly?a=1", Host: "hooks.example.com", RemoteAddr: "192.0.2.7:99", Header: http.Header{"X-B": {"2"}, "X-A": {"1"}}},
			EnvelopeBytes: []byte(`{"specversion":"1.0","data":{"n":1.0e400}}`), OriginalBytes: []byte(`{"n":1.0e400}`),
		},
		refusals: []journal.Refusal{
			{Time: now, Provider: "notifly", Source: "/webhooks/notifly", Reason: "bad_credential", Status: 401, Cause: "no secret matches", ClientIP: "192.0.2.9", Method: "POST", Path: "/notifly", Headers: []string{"Content-Type", "X-Notifly-Signature"}},
		},
		blocks: []journal.Block{{Provider: "notifly", Source: "/webhooks/notifly", Destinations: []string{"archive", "crm"}, LastAccepted: now.Add(-time.Minute), AcceptedPerMinute: 12, Hour: hour(12, 0), Note: "Enter the URL."}},
		destinations: []journal.Destination{
			{DestinationStatus: queue.DestinationStatus{Destination: "archive", Configured: true, Gateway: "gw", Here: true}, DeliveredPerSecond: 0.2, TookP50MS: 12, TookP99MS: 250, Hour: hour(12, 0)},
			{DestinationStatus: queue.DestinationStatus{
				Destination: "crm", Configured: true, Gateway: "gw", Down: true, Backlog: 1204, OldestUndelivered: now.Add(-18 * time.Minute), FailedSince: now.Add(-18 * time.Minute),
				DeadLetters: 2, LastStatus: 500, LastError: "answered 500", LastFailed: now,
			}, FailedPerSecond: 1, Hour: hour(0, 3)},
		},
		causes: []queue.Cause{{Destination: "crm", Cause: "answered 500", DeadLetters: 2, Oldest: now.Add(-20 * time.Hour), Newest: now}},
		letters: []queue.DeadLetter{
			{ID: firstKey.String(), Destination: "crm", Provider: "notifly", EventID: "evt-1", Type: "message.created", Attempts: 24, LastStatus: 500, LastError: "answered 500", Excerpt: "no such table", Received: now, Died: now},
			{ID: secondKey.String(), Destination: "crm", Provider: "notifly", EventID: "evt-2", Type: "message.created", Attempts: 24, LastError: "connection refused", Received: now, Died: now},
		},
	}
}
