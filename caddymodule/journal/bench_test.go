package journal

import (
	"encoding/binary"
	"net/http"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// BenchmarkDurable measures what a request with one event for the queue costs the journal.
func BenchmarkDurable(b *testing.B) {
	block := NewMemory(time.Now).OpenBlock("notifly", "/a")
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		block.PublishesEvents()
		block.Served(Exchange{Time: now, Accepted: 1, Secret: 1})
	}
}

// BenchmarkDirect measures what a request with one event of direct delivery costs it.
func BenchmarkDirect(b *testing.B) {
	block := NewMemory(time.Now).OpenBlock("notifly", "/a")
	now := time.Now()
	e := &envelope.Event{ID: "a056V7R7NmNRjl70", Type: "message.updated", Subject: "conversations/12345", PartitionKey: "12345"}
	r := &http.Request{Method: "POST", Host: "hooks.example.com", RemoteAddr: "192.0.2.1:12345", Header: http.Header{
		"Accept-Encoding": {"gzip"}, "Content-Type": {"application/json"}, "User-Agent": {"Go-http-client/1.1"}, "X-Forwarded-For": {"192.0.2.1"},
	}}
	body := make([]byte, 1000)
	var n uint64
	b.ReportAllocs()
	for b.Loop() {
		var key envelope.Key
		n++
		binary.BigEndian.PutUint64(key[:], n)
		handed := NewDirectEvent(key, e, now, r, "/notifly")
		handed.Body, handed.IsAccepted, handed.Status = body, true, 200
		block.Handled(&handed)
		block.Served(Exchange{Time: now, Accepted: 1, Secret: 1})
	}
}

// BenchmarkAttempt measures what an attempt costs it.
func BenchmarkAttempt(b *testing.B) {
	m := NewMemory(time.Now)
	d := m.OpenDestination("crm")
	a := attempt(m.OpenBlock("notifly", "/a"), "1", "crm", queue.OutcomeDelivered)
	b.ReportAllocs()
	for b.Loop() {
		d.Attempted(a)
	}
}
