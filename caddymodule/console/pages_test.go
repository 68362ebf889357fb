package console

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// TestPages shows that each page says what it is for.
func TestPages(t *testing.T) {
	s := newSite(t, busy())
	s.want("/", 200,
		"crm is down since ", ": 1,204 events wait, the oldest 18 min.", "2 dead letters since ", "no secret matches", "delivers", "In the last hour 720 accepted, 0 refused")
	s.want("/events", 200, "message.created", "conversations/7", "unrouted", `rel="next"`)
	s.want("/events/"+firstKey.String(), 200,
		"It came again 2 times", "500</strong> failed, tried again", "no such table", "took 2 s", "1.0e400", "X-A", "Replay to all destinations", "conversations/7")
	s.want("/dead", 200, "answered 500", "connection refused", "2 events are not tried again")
	s.want("/dead?destination=crm&cause=answered+500", 200, "evt-1")
	s.want("/refusals", 200, "bad credential", "none of the block&#39;s secrets matches", "X-Notifly-Signature")
	s.want("/nothing", 404, "No such page")
	s.want("/events/msg_x", 404, "Not an event")
	s.want("/jobs/x", 404, "Not known any more")
}

// TestEmptyPages shows that a page without content says what to do next.
func TestEmptyPages(t *testing.T) {
	s := newSite(t, new(fake))
	s.want("/", 200, "The queue is open.", "caddy webhooks providers")
	s.want("/events", 200, "No event yet. Send one: <code>caddy webhooks send")
	s.want("/events?type=message.*", 200, "No stored event matches")
	s.want("/dead", 200, "waits here for a replay")
	s.want("/refusals", 200, "No request was refused")

	s.fake.noQueue = true
	s.want("/", 200, "no `webhooks` block")
	s.want("/dead", 200, "This configuration has no queue")
}

func TestHeaders(t *testing.T) {
	s := newSite(t, busy())
	for _, path := range []string{"/", "/events", "/nothing", "/events/" + firstKey.String(), "/events/" + firstKey.String() + "/original"} {
		h := s.get(path).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Error(policy)
	}
	h := s.get("/assets/" + styleSheet.name).Header()
	if got := h.Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Error(got)
	}
	w := s.get("/events/" + firstKey.String() + "/original")
	if got := w.Header().Get("Content-Disposition"); w.Body.String() != `{"n":1.0e400}` || !strings.HasPrefix(got, "attachment") || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("%s %v", w.Body, w.Header())
	}
	for _, path := range []string{"/", "/events", "/events/" + firstKey.String(), "/dead", "/refusals"} {
		if strings.Contains(s.get(path).Body.String(), "style=\"") {
			t.Error(path, "has a style attribute, which the policy forbids")
		}
	}
}

// TestSlowQueue shows that a queue that does not answer gives a page that says so, and
// that the overview shows what it knows all the same.
func TestSlowQueue(t *testing.T) {
	s := newSite(t, busy())
	s.fake.hangs = true
	s.handler.patience = 50 * time.Millisecond
	s.want("/", 200, "The queue does not answer", "/webhooks/notifly", "no secret matches")
	s.want("/events", 503, "did not answer in time")
	s.want("/events/"+firstKey.String(), 503, "did not answer in time")
	s.want("/dead", 503, "did not answer in time")
	s.want("/refusals", 200, "bad credential")
}

// TestErrors shows that pages say what went wrong, and not how.
func TestErrors(t *testing.T) {
	inside := errors.New("pq: password of host db")
	for err, want := range map[error]string{
		fmt.Errorf("%w: %w", queue.ErrUnavailable, inside): "cannot be read now",
		fmt.Errorf("%w: %w", queue.ErrUnknown, inside):     "It is not in the queue",
		inside: "The page could not be made",
	} {
		s := newSite(t, busy())
		s.fake.err = err
		for _, path := range []string{"/events", "/dead", "/events/" + firstKey.String()} {
			w := s.get(path)
			if body := w.Body.String(); w.Code < 400 || !strings.Contains(body, want) || strings.Contains(body, "pq:") {
				t.Errorf("%v: %s: %d %s", err, path, w.Code, body)
			}
		}
		if body := s.want("/", 200, want); strings.Contains(body, "pq:") {
			t.Errorf("%v: %s", err, body)
		}
	}
}

// TestPaging shows the links to older and newer events.
func TestPaging(t *testing.T) {
	s := newSite(t, busy())
	s.want("/events?type=message.*", 200, `rel="next" href="./events?cursor=next-cursor&amp;trail=&amp;type=message.%2A"`)
	s.want("/events?cursor=next-cursor&trail=&type=message.*", 200,
		`rel="next" href="./events?cursor=next-cursor&amp;trail=&amp;trail=next-cursor&amp;type=message.%2A"`,
		`rel="prev" href="./events?type=message.%2A"`)
	s.want("/events?cursor=b&trail=&trail=a", 200, `rel="prev" href="./events?cursor=a&amp;trail="`)
	if s.fake.page.Cursor != "b" || s.fake.page.Limit != eventsOnPage {
		t.Errorf("%+v", s.fake.page)
	}
	if w := s.get("/events?type=&state=dead"); w.Code != 303 || w.Header().Get("Location") != "./events?state=dead" {
		t.Errorf("%d to %s", w.Code, w.Header().Get("Location"))
	}
}

// TestReasons shows that each reason for a refusal has an explanation.
func TestReasons(t *testing.T) {
	for _, code := range []string{
		"missing_credential", "bad_credential", "stale_timestamp", "malformed", "too_large", "too_deep", "too_many", "no_event", "method", "queue_unavailable", "upstream",
	} {
		if r := reasons[code]; r.Meaning == "" || r.Remedy == "" {
			t.Errorf("%s has no explanation", code)
		}
	}
}
