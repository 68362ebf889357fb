package caddymodule_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

// TestAdminEvents lists and shows the events of a queue and of direct delivery.
func TestAdminEvents(t *testing.T) {
	onEngines(t, func(t *testing.T, queue string) {
		secret := secretIn(t, "SECRET")
		app, _ := startWithoutCRM(t)
		startObserved(t, app, queue)
		sendNotifly(t, secret, "1", "2", "1")
		direct := sendDirect(t, secret, "hello")
		sendNotifly(t, secret, "3")
		waitFor(t, func() bool { return gauge(t, "dead_letters", "crm") == 3 })
		waitDelivered(t, "archive")

		for query, want := range map[string][]string{
			"":                                   {keyOf("3"), direct, keyOf("2"), keyOf("1")},
			"?provider=notifly":                  {keyOf("3"), keyOf("2"), keyOf("1")},
			"?provider=wotnot":                   {direct},
			"?provider=nobody":                   {},
			"?source=/webhooks/wotnot":           {direct},
			"?type=message.*&since=1h":           {keyOf("3"), direct, keyOf("2"), keyOf("1")},
			"?type=conversation.*":               {},
			"?subject=conversations/c-2":         {keyOf("2")},
			"?partitionkey=c-1&provider=notifly": {keyOf("1")},
			"?partitionkey=c-1&provider=wotnot":  {},
			"?id=3":                              {keyOf("3")},
			"?destination=crm&state=dead":        {keyOf("3"), keyOf("2"), keyOf("1")},
			"?destination=archive&state=dead":    {},
			"?destination=archive":               {keyOf("3"), keyOf("2"), keyOf("1")},
			"?state=delivered&id=2":              {keyOf("2")},
			"?state=unrouted":                    {},
			"?since=1h&until=30m":                {},
			"?until=" + url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339)): {keyOf("3"), direct, keyOf("2"), keyOf("1")},
			"?text=hello":   {direct},
			"?text=m-2":     {keyOf("2")},
			"?text=nowhere": {},
			"?id=1&limit=1": {keyOf("1")},
			"?limit=1":      {keyOf("3")},
			"?limit=1000":   {keyOf("3"), direct, keyOf("2"), keyOf("1")},
			"?type=message.created&destination=crm&state=dead&since=7d&partitionkey=c-3": {keyOf("3")},
		} {
			if got := idsOf(readEvents(t, query).Events); !slices.Equal(got, want) {
				t.Errorf("events%s: %v, want %v", query, got, want)
			}
		}

		var paged []string
		for query := "?limit=1"; query != ""; {
			page := readEvents(t, query)
			paged = append(paged, idsOf(page.Events)...)
			query = ""
			if page.Next != "" {
				query = "?limit=1&cursor=" + url.QueryEscape(page.Next)
			}
		}
		if want := []string{keyOf("3"), direct, keyOf("2"), keyOf("1")}; !slices.Equal(paged, want) {
			t.Errorf("page by page: %v, want %v", paged, want)
		}
		// The count of duplicates is not written at once.
		waitFor(t, func() bool { return readEvents(t, "?id=1").Events[0].Duplicates == 1 })
		wantStoredEvent(t, app, secret)
		wantDirectEvent(t, direct)
		wantBadEventRequests(t)
	})
}

// wantStoredEvent checks what is known about the event 1 of Notifly's.
func wantStoredEvent(t *testing.T, app *application, secret string) {
	t.Helper()
	uri := "/webhooks/events/" + keyOf("1")
	e := readAdmin[journal.History](t, uri)
	if e.ID != keyOf("1") || e.EventID != "1" || e.Provider != "notifly" || e.Source != "/webhooks/notifly" || e.Type != "message.created" ||
		e.Subject != "conversations/c-1" || e.PartitionKey != "c-1" || e.Duplicates != 1 || e.LastDuplicate.IsZero() || e.Direct != nil {
		t.Errorf("%+v", e.Event)
	}
	if e.Request == nil || e.Request.Method != http.MethodPost || e.Request.URI != "/" || e.Request.Host != gatewayAddress ||
		e.Request.Header.Get("Content-Type") != "application/json" || e.Request.Header.Values("X-Notifly-Signature") != nil {
		t.Errorf("%+v", e.Request)
	}
	states := map[string]string{}
	for _, d := range e.Destinations {
		states[d.Destination] = string(d.State)
		for i, a := range d.Attempts {
			if a.Attempt != i+1 || a.Began.IsZero() || a.TookMS <= 0 || d.Destination == "crm" && (a.Status != 502 || a.Excerpt != "the crm is <away>") {
				t.Errorf("%s: %+v", d.Destination, a)
			}
		}
		if want := map[string]int{"crm": 2, "archive": 1}[d.Destination]; len(d.Attempts) != want {
			t.Errorf("%s: %d attempts, want %d", d.Destination, len(d.Attempts), want)
		}
	}
	if len(states) != 2 || states["crm"] != "dead" || states["archive"] != "delivered" {
		t.Errorf("%v", states)
	}
	sent, _, _ := notifly(secret, "1")
	wantBytes(t, uri+"/original", "application/json", sent)
	i := slices.IndexFunc(app.requests(), func(r got) bool { return r.Header.Get("Webhook-Id") == keyOf("1") })
	wantBytes(t, uri+"/envelope", envelope.ContentType, app.requests()[i].Body)
	if !json.Valid(e.Envelope) || string(e.Original) != string(sent) {
		t.Errorf("envelope %s, original %s", e.Envelope, e.Original)
	}
}

// wantDirectEvent checks what is known about an event that was forwarded.
func wantDirectEvent(t *testing.T, id string) {
	t.Helper()
	e := readAdmin[journal.History](t, "/webhooks/events/"+id)
	if e.ID != id || e.Provider != "wotnot" || e.Direct == nil || e.Direct.Outcome != "accepted" || e.Direct.Status != 200 || e.Direct.TookMS <= 0 ||
		e.Destinations == nil || len(e.Destinations) > 0 {
		t.Errorf("%+v %+v", e.Event, e.Direct)
	}
	if e.Request == nil || e.Request.URI != "/direct" || e.Request.Header.Values("Token") != nil {
		t.Errorf("%+v", e.Request)
	}
	if !strings.Contains(string(e.Original), `"text":"hello"`) || !strings.Contains(string(e.Envelope), `"specversion":"1.0"`) {
		t.Errorf("envelope %s, original %s", e.Envelope, e.Original)
	}
}

// wantBytes checks an answer that is not JSON of the API's own.
func wantBytes(t *testing.T, uri, contentType string, want []byte) {
	t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r, err := http.NewRequest(method, "http://"+adminAddress+uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := do(t, r)
		body := string(want)
		if method == http.MethodHead {
			body = ""
		}
		if a.status != 200 || a.body != body || a.header.Get("Content-Type") != contentType || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: %d %v %q, want %q", method, uri, a.status, a.header, a.body, body)
		}
	}
}

func wantBadEventRequests(t *testing.T) {
	t.Helper()
	for _, c := range []struct {
		uri    string
		status int
		want   string
	}{
		{"events?partitionKey=c-1", 400, `{"error":"unknown parameter \"partitionKey\"; use provider, source, type, subject, partitionkey, id, destination, state, since, until, text, limit, cursor"}`},
		{"events?subject=", 400, `{"error":"the parameter subject takes one value; give it one, or leave it out"}`},
		{"events?state=dead&state=parked", 400, `{"error":"the parameter state takes one value…`},
		{"events?state=lost", 400, `{"error":"state takes waiting, retrying, parked, delivered, dead…`},
		{"events?type=message*", 400, `{"error":"type: …`},
		{"events?since=yesterday", 400, `{"error":"since: \"yesterday\" is not a time…`},
		{"events?since=1h&until=2h", 400, `{"error":"since is after until…`},
		{"events?limit=0", 400, `{"error":"limit takes a number from 1 to 1000"}`},
		{"events?limit=1001", 400, `{"error":"limit takes a number from 1 to 1000"}`},
		{"events?cursor=abc", 400, `{"error":"not a cursor; use ` + "`next`" + ` of the page before, or leave it out"}`},
		{"events?destination=cmr", 404, `{"error":"no destination \"cmr\"; there are archive and crm"}`},
		{"events/" + keyOf("none"), 404, `{"error":"…`},
		{"events/" + keyOf("none") + "/envelope", 404, `{"error":"…`},
		{"events/" + keyOf("none") + "/original", 404, `{"error":"…`},
		{"events/1", 400, `{"error":"\"1\" does not name an event…`},
		{"events/" + keyOf("1") + "?destination=crm", 400, `{"error":"unknown parameter \"destination\"; use none"}`},
		{"events/" + keyOf("1") + "/body", 404, `{"error":"no such endpoint…`},
		{"tail?limit=1", 400, `{"error":"unknown parameter \"limit\"…`},
		{"tail?state=lost", 400, `{"error":"state takes …`},
		{"tail?after=", 400, `{"error":"the parameter after takes one value…`},
		{"tail?destination=cmr", 404, `{"error":"no destination \"cmr\"; there are archive and crm"}`},
	} {
		wantAdmin(t, http.MethodGet, "/webhooks/"+c.uri, "", c.status, c.want)
	}
}

// readEvents reads a page of events.
func readEvents(t testing.TB, query string) journal.Events {
	t.Helper()
	status, answer := adminGet(t, "/webhooks/events"+query)
	var page journal.Events
	if err := json.Unmarshal([]byte(answer), &page); err != nil || status != 200 || strings.Contains(answer, "null") {
		t.Fatalf("events%s: %d %s", query, status, answer)
	}
	return page
}

// idsOf returns the names of events.
func idsOf(events []journal.Event) []string {
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	return ids
}
