package journal

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func parse(filters ...string) (queue.Search, error) {
	values := make(map[string]string)
	for i := 0; i+1 < len(filters); i += 2 {
		values[filters[i]] = filters[i+1]
	}
	return ParseFilter(func(name string) string { return values[name] }, noon)
}

func TestParseFilter(t *testing.T) {
	for _, c := range []struct {
		filters []string
		want    queue.Search
	}{
		{nil, queue.Search{}},
		{[]string{"provider", "notifly", "source", "/a", "subject", "contacts/1", "partitionkey", "1", "id", "e1", "destination", "crm", "text", "Zürich"},
			queue.Search{Provider: "notifly", Source: "/a", Subject: "contacts/1", PartitionKey: "1", ID: "e1", Destination: "crm", Text: "Zürich"}},
		{[]string{"type", "message.*"}, queue.Search{Type: envelope.TypePattern{"message", "*"}}},
		{[]string{"state", "discarded"}, queue.Search{State: queue.StateDiscarded}},
		{[]string{"since", "7d", "until", "90m"}, queue.Search{Since: noon.Add(-7 * 24 * time.Hour), Until: noon.Add(-90 * time.Minute)}},
		{[]string{"since", "2026-01-02T11:00:00Z", "until", "1h"}, queue.Search{Since: noon.Add(-time.Hour), Until: noon.Add(-time.Hour)}},
	} {
		got, err := parse(c.filters...)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, %v; want %+v", c.filters, got, err, c.want)
		}
	}
}

func TestParseFilterErrors(t *testing.T) {
	long := strings.Repeat("x", 1025)
	for _, c := range []struct {
		filters []string
		want    string
	}{
		{[]string{"state", "done"}, "state takes waiting, retrying, parked, delivered, dead, discarded or unrouted"},
		{[]string{"type", "mess*"}, `type: "mess*" is not a pattern`},
		{[]string{"since", "yesterday"}, `since: "yesterday" is not a time in RFC 3339, such as 2026-01-02T15:04:05Z, nor how long ago it was, such as 2h or 7d`},
		{[]string{"until", "-2h"}, `until: "-2h" is in the future`},
		{[]string{"since", "1969-01-01T00:00:00Z"}, "since: no event came in in the year 1969"},
		{[]string{"until", "2300-01-01T00:00:00Z"}, "until: no event came in in the year 2300"},
		{[]string{"since", "1000000h"}, "since: no event came in in the year 1911"},
		{[]string{"since", "1h", "until", "2h"}, "since is after until; swap them"},
		{[]string{"subject", long}, "subject takes at most 1024 bytes, and this is 1025"},
		{[]string{"text", long}, "text takes at most 1024 bytes"},
		{[]string{"text", "a\x00"}, "text takes UTF-8 text"},
		{[]string{"id", "\xff"}, "id takes UTF-8 text"},
	} {
		got, err := parse(c.filters...)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || !reflect.DeepEqual(got, queue.Search{}) {
			t.Errorf("%.40q: %+v, %v; want %s", c.filters, got, err, c.want)
		}
	}
}
