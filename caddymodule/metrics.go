package caddymodule

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// otherType is the label of event types that no configuration names: labels
// must not grow with what strangers send.
const otherType = "other"

// metrics are the collectors of one configuration.
type metrics struct {
	requests      *prometheus.CounterVec
	events        *prometheus.CounterVec
	handling      *prometheus.HistogramVec
	secretMatches *prometheus.CounterVec
	missingIDs    *prometheus.CounterVec
}

// newMetrics registers the collectors, or finds those registered before.
func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	const ns, sub = "caddy", "webhooks"
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "requests_total",
			Help: "Requests by what became of them: accepted, duplicate, handshake, or the reason for refusal.",
		}, []string{"provider", "outcome"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "events_total",
			Help: "Events by canonical type and what became of them: accepted, duplicate or upstream.",
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
		register(registry, &m.requests),
		register(registry, &m.events),
		register(registry, &m.handling),
		register(registry, &m.secretMatches),
		register(registry, &m.missingIDs),
	)
}

// register registers a collector; if it is registered already, it is replaced
// by that one.
func register[C prometheus.Collector](registry *prometheus.Registry, collector *C) error {
	err := registry.Register(*collector)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		*collector = already.ExistingCollector.(C)
		return nil
	}
	return err
}
