package journal

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// bytesOf returns the number of bytes that all remembered events take, as they are there.
func bytesOf(m *Memory) (total int64) {
	for _, b := range m.allBlocks() {
		for n := b.direct.first; n < b.direct.next; n++ {
			total += b.direct.at(n).size()
		}
	}
	return total
}

func TestDirectBounds(t *testing.T) {
	for _, c := range []struct {
		name          string
		blocks, each  int
		size          int
		events, whole int // that remain in the last block
	}{
		{"few", 1, 10, 100, 10, 10},
		{"as many as fit", 1, 1000, 100, 1000, 1000},
		{"many", 1, 2500, 100, 1000, 1000},
		{"large", 1, 100, 1 << 20, 100, 15},
		{"large, of several blocks", 4, 25, 1 << 20, 25, 4},
		{"too large", 1, 2, 17 << 20, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _ := newTestMemory()
			var blocks []*BlockMemory
			for i := range c.blocks {
				blocks = append(blocks, m.OpenBlock("notifly", fmt.Sprint("/", i)))
			}
			body := strings.Repeat("x", c.size)
			for n := range c.each {
				for _, b := range blocks {
					b.Handled(direct(b.source, fmt.Sprint(n), noon, body))
				}
			}
			counted := m.directBytes.Load()
			if counted > maxDirectBytes || counted != bytesOf(m) {
				t.Errorf("%d bytes are counted, and %d there", counted, bytesOf(m))
			}
			last := blocks[len(blocks)-1]
			found, err := journalOf(nil, m).Events(t.Context(), queue.Search{Source: last.source}, Page{"", 5000})
			if err != nil || len(found.Events) != c.events {
				t.Fatalf("%d events, %v; want %d", len(found.Events), err, c.events)
			}
			whole := 0
			for i, e := range found.Events {
				if want := fmt.Sprint(c.each - 1 - i); e.EventID != want || e.Size != int64(c.size) {
					t.Fatalf("event %d has the id %s and %d bytes, want %s", i, e.EventID, e.Size, want)
				}
				key, _ := envelope.ParseKey(e.ID)
				h, err := journalOf(nil, m).Event(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				if h.OriginalBytes != nil {
					whole++
				}
				if h.Request.URI != "/in?a=b" {
					t.Errorf("the request of event %d is gone", i)
				}
			}
			if whole != c.whole {
				t.Errorf("%d events have a body, want %d", whole, c.whole)
			}
			for _, b := range blocks {
				b.Close()
				b.Handled(direct(b.source, "late", noon, body)) // by a configuration that is gone
			}
			if n := m.directBytes.Load(); n != 0 {
				t.Errorf("%d bytes are left", n)
			}
		})
	}
}

// TestDirectManySources shows that events go if all bodies are gone, the oldest first.
func TestDirectManySources(t *testing.T) {
	m, _ := newTestMemory()
	for i := range 60 {
		b := m.OpenBlock("notifly", fmt.Sprint("/", i))
		for n := range 1000 {
			b.Handled(direct(b.source, fmt.Sprint(n), noon, "{}"))
		}
	}
	if counted := m.directBytes.Load(); counted > maxDirectBytes || counted < maxDirectBytes*9/10 || counted != bytesOf(m) {
		t.Errorf("%d bytes are counted, and %d there", counted, bytesOf(m))
	}
	first, last := m.block(blockKey{"notifly", "/0"}).direct, m.block(blockKey{"notifly", "/59"}).direct
	if first.next != first.first || last.next-last.first != 1000 {
		t.Errorf("the oldest source has %d events, the newest %d", first.next-first.first, last.next-last.first)
	}
}

func TestDirectAgain(t *testing.T) {
	m, _ := newTestMemory()
	b := m.OpenBlock("notifly", "/a")
	handle := func(accepted bool, status int, after time.Duration) {
		e := direct("/a", "1", noon.Add(after), "{}")
		e.IsAccepted, e.Status = accepted, status
		b.Handled(e)
	}
	want := func(events int, outcome string, status int, duplicates int64, last time.Time) {
		t.Helper()
		found, _ := journalOf(nil, m).Events(t.Context(), queue.Search{}, Page{"", 10})
		if len(found.Events) != events {
			t.Fatalf("%d events, want %d", len(found.Events), events)
		}
		e := found.Events[0]
		if *e.Direct != (Direct{outcome, status, 1.5}) || e.Duplicates != duplicates || !e.LastDuplicate.Equal(last) {
			t.Errorf("%+v, %+v", e.Direct, e.Summary)
		}
	}
	handle(false, 500, 0)
	want(1, "upstream", 500, 0, time.Time{})
	handle(false, 0, time.Second) // the provider sends it again
	want(1, "upstream", 0, 1, noon.Add(time.Second))
	handle(true, 204, time.Minute)
	want(1, "accepted", 204, 2, noon.Add(time.Minute))
	b.CameAgain(envelope.NewKey("/a", "1"), noon.Add(time.Hour))
	want(1, "accepted", 204, 3, noon.Add(time.Hour))
	b.CameAgain(envelope.NewKey("/a", "unknown"), noon)
	handle(true, 200, 48*time.Hour) // its window has ended
	want(2, "accepted", 200, 0, time.Time{})
	b.CameAgain(envelope.NewKey("/a", "1"), noon.Add(49*time.Hour))
	want(2, "accepted", 200, 1, noon.Add(49*time.Hour))
}

func TestDirectSearch(t *testing.T) {
	m, _ := newTestMemory()
	a, b := m.OpenBlock("notifly", "/a"), m.OpenBlock("wotnot", "/b")
	a.Handled(direct("/a", "1", noon, `{"text":"Z\u00fcrich"}`))
	b.Handled(direct("/b", "2", noon.Add(time.Minute), `{"text":"\"Bern\""}`))
	for _, c := range []struct {
		filters []string
		want    string
	}{
		{nil, "2 1"},
		{[]string{"provider", "notifly"}, "1"},
		{[]string{"source", "/b"}, "2"},
		{[]string{"type", "message.*"}, "2 1"},
		{[]string{"type", "contact.*"}, ""},
		{[]string{"subject", "conversations/1"}, "1"},
		{[]string{"partitionkey", "2"}, "2"},
		{[]string{"id", "2"}, "2"},
		{[]string{"id", "2", "provider", "notifly"}, ""},
		{[]string{"since", "2026-01-02T12:01:00Z"}, "2"},
		{[]string{"until", "2026-01-02T12:01:00Z"}, "1"},
		{[]string{"text", "text"}, "2 1"},
		{[]string{"text", `"Bern"`}, "2"},
		{[]string{"text", `Z\u00fcrich`}, "1"},
		{[]string{"destination", "crm"}, ""},
		{[]string{"state", "delivered"}, ""},
	} {
		s, err := parse(c.filters...)
		if err != nil {
			t.Fatal(err)
		}
		found, err := journalOf(nil, m).Events(t.Context(), s, Page{"", 10})
		var got []string
		for _, e := range found.Events {
			got = append(got, e.EventID)
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%q found %q, %v; want %q", c.filters, got, err, c.want)
		}
	}
}

// TestDirectRequest shows that a request is kept as it is, and that a large one is cut.
func TestDirectRequest(t *testing.T) {
	e := &envelope.Event{ID: "i", Type: "t", Subject: "s", PartitionKey: "p"}
	r := &http.Request{Method: "POST", Host: "h", RemoteAddr: "r", Header: http.Header{"A": {"1", "", "3"}, "B": {"ä\x00\n"}}}
	d := NewDirectEvent(envelope.Key{}, e, noon, r, "/u?q")
	want := &Request{"POST", "/u?q", "h", "r", r.Header}
	if got := d.texts.request(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := d.texts.attributes(); got != (attributes{eventType: "t", subject: "s", partitionKey: "p", id: "i"}) {
		t.Errorf("%+v", got)
	}
	r.Header.Set("C", strings.Repeat("x", 1<<20))
	d = NewDirectEvent(envelope.Key{}, e, noon, r, "/"+strings.Repeat("u", 1<<20))
	if n := len(d.texts.all); n > 2*maxRequest {
		t.Errorf("%d bytes are kept", n)
	}
	if got := d.texts.request(); got.Header.Get("A") != "1" || got.Header.Get("C") != "" {
		t.Errorf("%v", got.Header)
	}
}

// TestDirectConcurrent is for the race detector.
func TestDirectConcurrent(t *testing.T) {
	m, _ := newTestMemory()
	body := strings.Repeat("x", 64<<10)
	var all sync.WaitGroup
	for i := range 4 {
		b := m.OpenBlock("notifly", fmt.Sprint("/", i%2))
		all.Go(func() {
			for n := range 200 {
				b.Handled(direct(b.source, fmt.Sprint(i, n), noon, body))
				b.CameAgain(envelope.NewKey(b.source, fmt.Sprint(i, n)), noon)
				b.Served(Exchange{Time: noon, Accepted: 1})
			}
		})
		all.Go(func() { // reloads
			for range 100 {
				m.OpenBlock("notifly", b.source).Close()
			}
		})
		all.Go(func() {
			for range 20 {
				allEvents(t, journalOf(nil, m), queue.Search{Text: "xx"}, 100, func() {})
				_, _ = journalOf(nil, m).Blocks(t.Context())
				m.LastAccepted()
			}
		})
	}
	all.Wait()
	if counted := m.directBytes.Load(); counted > maxDirectBytes || counted != bytesOf(m) {
		t.Errorf("%d bytes are counted, and %d there", counted, bytesOf(m))
	}
}
