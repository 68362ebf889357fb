package console

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// month is a gateway that has had a month of traffic, in seconds: its queue and journal
// have a clock of their own. Three providers send to four destinations, of which one has
// been down for 18 minutes.
type month struct {
	t      *testing.T
	random *rand.Rand
	memory *journal.Memory
	queue  *queue.Queue
	serve  *queue.Generation
	to     map[string]*journal.DestinationMemory
	n      int // of the last event

	ahead  atomic.Int64 // its clock, of the real one; in nanoseconds
	isDown atomic.Bool  // crm
}

// senders are the blocks: who sends what, how often in an hour, and where to.
var senders = []struct {
	provider     string
	destinations []string
	types        []string
	perHour      int
	note         string
}{
	{"notifly", []string{"archive", "crm"}, []string{"message.created", "message.updated", "conversation.created"}, 340, "Settings, Webhooks, Add: the URL of this block. The signing secret is `secret`."},
	{"wotnot", []string{"helpdesk"}, []string{"message.created", "conversation.closed"}, 130, "Bot, Settings, Webhook: the URL of this block, with the token in the header `token`."},
	{"chatbot", []string{"warehouse"}, []string{"message.created"}, 45, ""},
}

func newMonth(t *testing.T) *month {
	t.Helper()
	m := &month{t: t, random: rand.New(rand.NewPCG(1, 2)), to: make(map[string]*journal.DestinationMemory)}
	m.wait(-30 * 24 * time.Hour)
	m.memory = journal.NewMemory(m.now)
	t.Cleanup(m.memory.Close)
	settings := queue.Settings{
		Engine: queue.SQLite, File: filepath.Join(t.TempDir(), "queue.db"), Now: m.now, Logger: zap.NewNop(),
		Retention: 60 * 24 * time.Hour, Size: 1 << 30,
	}
	var err error
	if m.queue, err = queue.Open(t.Context(), settings); err != nil {
		t.Fatal(err)
	}
	service := queue.Service{Observer: m, Retention: settings.Retention, Size: settings.Size}
	for _, s := range senders {
		m.memory.OpenBlock(s.provider, "/webhooks/"+s.provider)
		for _, name := range s.destinations {
			m.to[name] = m.memory.OpenDestination(name)
			d := queue.Destination{
				Name: name, Filter: queue.Filter{Source: "/webhooks/" + s.provider}, Attempts: 3,
				Backoff: queue.Backoff{First: 20 * time.Millisecond, Max: time.Second}, Timeout: time.Minute, Concurrency: 16,
				Deliver: m.deliver(name),
			}
			if name == "crm" {
				d.Attempts, d.Backoff = 24, queue.Backoff{First: 2 * time.Minute, Max: time.Hour}
			}
			service.Destinations = append(service.Destinations, d)
		}
	}
	m.serve = m.queue.Serve(service)
	t.Cleanup(func() {
		m.serve.Stop(context.Background())
		if err := m.queue.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func (m *month) now() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) }

// wait lets time pass.
func (m *month) wait(d time.Duration) { m.ahead.Add(int64(d)) }

// deliver makes attempts that take some time, and of which few fail.
func (m *month) deliver(name string) func(context.Context, *queue.Delivery) queue.Result {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(uint64(len(name)), 3))
	return func(_ context.Context, d *queue.Delivery) queue.Result {
		mu.Lock()
		took := time.Duration(8+random.ExpFloat64()*40) * time.Millisecond
		mu.Unlock()
		m.wait(took)
		switch {
		case name == "crm" && m.isDown.Load():
			return queue.Result{Err: errors.New("dial tcp 10.0.3.7:8080: connect: connection refused")}
		case name == "helpdesk" && d.Key[0] < 4:
			return queue.Result{Status: 500, Excerpt: []byte(`{"error":"column \"channel\" of relation \"tickets\" does not exist"}`)}
		case name == "archive" && d.Key[0] < 12 && d.Attempt == 1:
			return queue.Result{Status: 502, Excerpt: []byte("upstream reset the connection")}
		}
		return queue.Result{Status: 204}
	}
}

// Attempted implements queue.Observer, as the methods below do.
func (m *month) Attempted(a queue.Attempt)           { m.to[a.Destination].Attempted(&a) }
func (m *month) Down(string, int, queue.Result)      {}
func (m *month) Up(string)                           {}
func (m *month) Discarded(destination string, n int) {}

// event makes an event of a sender.
func (m *month) event(provider, eventType string) *queue.Event {
	m.n++
	id, conversation := fmt.Sprintf("evt_%06d", m.n), fmt.Sprintf("c%03d", m.random.IntN(400))
	text := []string{"Is my order on its way?", "Thank you, that helped.", "I’m traveling with my dad. Can you change the address?", "שלום, איפה ההזמנה שלי?"}[m.random.IntN(4)]
	original := fmt.Sprintf(`{"id":%q,"type":%q,"payload":{"id":"m%d","conversation_id":%q,"message":%q,"price":12.50}}`, id, eventType, m.n, conversation, text)
	body := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/webhooks/%s","type":%q,"subject":"conversations/%s","recordedtime":%q,"partitionkey":%q,`+
		`"provider":%[2]q,"providertype":%[3]q,"datacontenttype":"application/json","data":{"conversation":{"id":%[6]q},"message":{"id":"m%d","kind":"text","text":%q},"original":%s}}`,
		id, provider, eventType, conversation, m.now().UTC().Format(time.RFC3339Nano), conversation, m.n, text, original)
	return &queue.Event{
		Key: envelope.NewKey("/webhooks/"+provider, id), Source: "/webhooks/" + provider, Provider: provider, Type: eventType,
		Subject: "conversations/" + conversation, PartitionKey: conversation, ID: id, Received: m.now(), Window: 24 * time.Hour,
		Body: []byte(body), Original: len(original),
		Request: &queue.Request{
			Method: "POST", URI: "/" + provider, Host: "hooks.example.com", Proto: "HTTP/2.0", RemoteAddr: "192.0.2.61:40112", TLS: true,
			Header: map[string][]string{"Content-Type": {"application/json"}, "User-Agent": {provider + "-webhooks/2.1"}, "Content-Length": {fmt.Sprint(len(original))}},
		},
	}
}

// send sends n events of each of the senders' hours, and lets them be delivered.
func (m *month) send(hours float64) {
	m.t.Helper()
	for _, s := range senders {
		var first queue.Event
		n := int(float64(s.perHour)*hours*(0.6+0.8*m.random.Float64()) + m.random.Float64())
		for i := range n {
			e := m.event(s.provider, s.types[m.random.IntN(len(s.types))])
			if i == 0 {
				first = *e
			}
			if _, err := m.serve.Store(m.t.Context(), []*queue.Event{e}); err != nil {
				m.t.Fatal(err)
			}
			m.wait(time.Duration(hours * 0.3 / float64(n) * float64(time.Hour)))
		}
		if n > 0 {
			m.memory.OpenBlock(s.provider, "/webhooks/"+s.provider).Served(journal.Exchange{Time: m.now(), Accepted: n, Secret: 1})
			if m.random.IntN(6) == 0 { // the provider did not see the answer
				if _, err := m.serve.Store(m.t.Context(), []*queue.Event{&first}); err != nil {
					m.t.Fatal(err)
				}
			}
		}
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		all, err := m.queue.Status(m.t.Context())
		if err != nil || time.Now().After(deadline) {
			m.t.Fatal(all, err)
		}
		waiting := int64(0)
		for _, d := range all {
			if d.Destination != "crm" || !m.isDown.Load() {
				waiting += d.Backlog
			}
		}
		if waiting == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// refuse notes a request that was not accepted.
func (m *month) refuse(provider, reason, cause string, status int, headers ...string) {
	m.memory.OpenBlock(provider, "/webhooks/"+provider).Refused(journal.Exchange{Time: m.now()}, journal.Refusal{
		Reason: reason, Cause: cause, Status: status, ClientIP: fmt.Sprintf("198.51.100.%d", m.random.IntN(200)), Method: "POST", Path: "/" + provider,
		Size: int64(300 + m.random.IntN(2000)), Headers: append(headers, "Content-Type", "User-Agent"),
	})
}

// pass lets the month pass.
func (m *month) pass() {
	m.t.Helper()
	for range 29*4 + 3 {
		m.send(0.05)
		m.wait(6 * time.Hour)
	}
	for minute := range 60 {
		m.ahead.Store(int64(time.Duration(minute-59) * time.Minute))
		m.isDown.Store(minute >= 42)
		if minute < 48 || minute%4 == 0 {
			m.send(1.0 / 60)
		} else {
			m.send(0.8 / 60)
		}
		if minute%7 == 3 {
			m.refuse("notifly", "bad_credential", "a signature that none of 2 keys makes", 401, "X-Notifly-Signature")
		}
		if minute == 31 || minute == 55 {
			m.refuse("wotnot", "missing_credential", "no header token", 401)
		}
		if minute == 50 {
			m.refuse("notifly", "stale_timestamp", "signed 6m12s ago, tolerance 5m", 401, "X-Notifly-Signature", "X-Notifly-Timestamp")
		}
	}
}

// blocks are the blocks of the configuration.
func (m *month) blocks() (all []journal.BlockConfig) {
	for _, s := range senders {
		all = append(all, journal.BlockConfig{Provider: s.provider, Source: "/webhooks/" + s.provider, Note: s.note, Destinations: s.destinations})
	}
	return all
}
