package ingress

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

// otherType is the label of event types that no provider's file and no
// configuration names: labels must not grow with what strangers send.
const otherType = "other"

// Metrics count requests and events.
type Metrics struct {
	requests      *prometheus.CounterVec
	events        *prometheus.CounterVec
	handling      *prometheus.HistogramVec
	secretMatches *prometheus.CounterVec
	missingIDs    *prometheus.CounterVec
}

// Handling returns the observer of the gateway's own work on a request of a provider,
// in seconds.
func (m *Metrics) Handling(provider string) prometheus.Observer {
	return m.handling.WithLabelValues(provider)
}

// NewMetrics returns metrics that are registered. memory has the times of the last events.
func NewMetrics(registry *prometheus.Registry, memory *journal.Memory) (*Metrics, error) {
	const ns, sub = "caddy", "webhooks"
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "requests_total",
			Help: "Requests by outcome: accepted, duplicate, handshake, or the reason for refusal.",
		}, []string{"provider", "outcome"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "events_total",
			Help: "Events by canonical type and outcome: accepted, unrouted, duplicate, upstream or queue_unavailable.",
		}, []string{"provider", "type", "outcome"}),
		handling: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: ns, Subsystem: sub, Name: "handling_seconds",
			Help:    "The gateway's own work on a request, without the time spent in the next handler.",
			Buckets: []float64{1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 1e-1, 1},
		}, []string{"provider"}),
		secretMatches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "secret_matches_total",
			Help: "Requests by the position, from 1, of the secret or token that matched.",
		}, []string{"provider", "secret"}),
		missingIDs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "missing_ids_total",
			Help: "Events without the id that their provider gives them, identified by their content instead.",
		}, []string{"provider"}),
	}
	return m, errors.Join(
		registry.Register(m.requests),
		registry.Register(m.events),
		registry.Register(m.handling),
		registry.Register(m.secretMatches),
		registry.Register(m.missingIDs),
		registry.Register(newLastAccepted(memory)),
	)
}

// lastAccepted reports when providers last sent an event that was accepted.
type lastAccepted struct {
	memory *journal.Memory
	at     *prometheus.Desc
}

func newLastAccepted(memory *journal.Memory) *lastAccepted {
	return &lastAccepted{memory, prometheus.NewDesc("caddy_webhooks_last_accepted_timestamp_seconds",
		"When the last event was accepted, in seconds since 1970; absent if that is not known.", []string{"provider"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *lastAccepted) Describe(to chan<- *prometheus.Desc) { to <- c.at }

// Collect implements prometheus.Collector.
func (c *lastAccepted) Collect(to chan<- prometheus.Metric) {
	for provider, at := range c.memory.LastAccepted() {
		to <- prometheus.MustNewConstMetric(c.at, prometheus.GaugeValue, float64(at.UnixMicro())/1e6, provider)
	}
}
