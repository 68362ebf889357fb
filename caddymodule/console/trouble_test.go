package console

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// TestWhyAnEventWaits shows that the page of an event says what is wrong with the
// destination that it waits for, and with no other.
func TestWhyAnEventWaits(t *testing.T) {
	s := newSite(t, busy())
	s.fake.history.Destinations[1].State = queue.StateWaiting
	s.want("/events/"+firstKey.String(), 200, "crm is down since ", ": 1,204 events wait", "Last failure: answered 500.")
	s.fake.history.Destinations[1].State = queue.StateDead
	if body := s.want("/events/"+firstKey.String(), 200); strings.Contains(body, "is down") {
		t.Error("an event that waits for nobody has a reason to wait")
	}
}

// TestYoungGateway shows that a gateway that is younger than an hour says what its rates
// and plots count.
func TestYoungGateway(t *testing.T) {
	s := newSite(t, busy())
	s.fake.since = now.Add(-19 * time.Minute)
	body := s.want("/", 200, "Since the gateway started 720 accepted, 0 refused", "4 May 14:01 UTC</time></th>", `class="axis" x="123"`)
	if strings.Contains(strings.ToLower(body), "last hour") {
		t.Error("it counts an hour")
	}
	s.fake.since = now.Add(-2 * time.Hour)
	s.want("/", 200, "In the last hour 720 accepted, 0 refused", `<th scope="col">Last hour</th>`, `class="axis" x="0"`)
}

// TestDeadLettersBeyondReach shows that a group whose dead letters are not among those
// that are read is not taken for an empty one.
func TestDeadLettersBeyondReach(t *testing.T) {
	s := newSite(t, busy())
	s.fake.causes = append(s.fake.causes, queue.Cause{Destination: "crm", Cause: "answered 400", DeadLetters: 3, Oldest: now, Newest: now})
	s.want("/dead?destination=crm&cause=answered+400", 200, "None of them is among the latest")
	s.want("/dead?destination=crm&cause=answered+200", 200, "None any more")
	s.want("/dead?destination=crm&cause=answered+500", 200, "1 of 2")
	s.want("/dead", 200, "2 of 5")
}

// TestEveryState shows that the filter offers every state that an event can have.
func TestEveryState(t *testing.T) {
	s := newSite(t, busy())
	for name := range deliveryStates {
		s.want("/events?state="+string(name), 200, "<option selected>"+string(name)+"</option>")
	}
}

// TestLongQuery shows that a page does not multiply a long query.
func TestLongQuery(t *testing.T) {
	s := newSite(t, busy())
	for i := range 100 {
		s.fake.causes = append(s.fake.causes, queue.Cause{Destination: "crm", Cause: strconv.Itoa(i), DeadLetters: 1})
	}
	long := strings.Repeat("a", 500_000)
	for _, path := range []string{"/dead?cause=", "/events?cursor=b&trail=", "/events?type=", "/refusals?reason="} {
		if body := s.want(path+long, 414, "too long"); len(body) > 10_000 {
			t.Errorf("%s: %d bytes", path, len(body))
		}
	}
	if w := s.post("/discard", "group", "1", "destination", "crm", "back", "dead?cause="+long); w.Code != 200 || w.Body.Len() > 10_000 {
		t.Errorf("%d: %d bytes", w.Code, w.Body.Len())
	}
}

// TestStrangersFailure shows that the page of a failure does not call a stranger logged
// in.
func TestStrangersFailure(t *testing.T) {
	s := newSite(t, busy())
	w := s.do("", httptest.NewRequest(http.MethodGet, "/assets/none.css", nil))
	if body := w.Body.String(); w.Code != 404 || strings.Contains(body, "insecure") || strings.Contains(body, "Dead letters") {
		t.Errorf("%d %s", w.Code, body)
	}
}
