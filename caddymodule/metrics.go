package caddymodule

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
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
	deliveries    *prometheus.CounterVec
	delivering    *prometheus.HistogramVec
}

// discarded is the outcome of dead letters that retention removed.
const discarded = "discarded"

// newMetrics registers the collectors, or finds those registered before. open
// returns the queue, or nil.
func newMetrics(registry *prometheus.Registry, open func() *queue.Queue) (*metrics, error) {
	const ns, sub = "caddy", "webhooks"
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "requests_total",
			Help: "Requests by what became of them: accepted, duplicate, handshake, or the reason for refusal.",
		}, []string{"provider", "outcome"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "events_total",
			Help: "Events by canonical type and what became of them: accepted, unrouted, duplicate, upstream or queue_unavailable.",
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
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "deliveries_total",
			Help: "Attempts to deliver by what they led to: delivered, retry, dead_letter or handed_back; and dead letters discarded by retention.",
		}, []string{"destination", "outcome"}),
		delivering: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: ns, Subsystem: sub, Name: "delivery_seconds",
			Help:    "How long attempts to deliver took.",
			Buckets: []float64{1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1, 5, 10, 30, 60},
		}, []string{"destination"}),
	}
	backlog := newBacklogCollector(open)
	return m, errors.Join(
		register(registry, &backlog),
		register(registry, &m.deliveries),
		register(registry, &m.delivering),
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

// statusTimeout is how long a scrape waits for the queue.
const statusTimeout = 5 * time.Second

// backlogCollector tells what is not delivered, when it is asked.
type backlogCollector struct {
	open                         func() *queue.Queue
	backlog, oldest, deadLetters *prometheus.Desc
	commits                      *prometheus.Desc
}

func newBacklogCollector(open func() *queue.Queue) *backlogCollector {
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName("caddy", "webhooks", name), help, []string{"destination"}, nil)
	}
	return &backlogCollector{
		open:        open,
		backlog:     describe("backlog", "Events that are not delivered yet, dead letters not among them."),
		oldest:      describe("oldest_undelivered_seconds", "Age of the oldest of them; 0 for none."),
		deadLetters: describe("dead_letters", "Events that were given up."),
		commits: prometheus.NewDesc(prometheus.BuildFQName("caddy", "webhooks", "queue_commits_total"),
			"Transactions that the queue has committed, each with an fsync.", nil, nil),
	}
}

// Describe says what there is.
func (c *backlogCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.backlog
	to <- c.oldest
	to <- c.deadLetters
	to <- c.commits
}

// Collect tells of the destinations that this gateway works, and of names that
// nobody does: several gateways on one queue then add up.
func (c *backlogCollector) Collect(to chan<- prometheus.Metric) {
	q := c.open()
	if q == nil {
		// Caddy goes on with the collectors of a configuration that failed to load.
		if q, _ = runningQueue(); q == nil {
			return
		}
	}
	to <- prometheus.MustNewConstMetric(c.commits, prometheus.CounterValue, float64(q.Commits()))
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	all, err := q.Status(ctx)
	if err != nil {
		return // a queue that fails says so elsewhere
	}
	for _, s := range all {
		if !s.Here && s.Configured {
			continue
		}
		age := 0.0
		if !s.OldestUndelivered.IsZero() {
			age = max(0, time.Since(s.OldestUndelivered).Seconds())
		}
		to <- prometheus.MustNewConstMetric(c.backlog, prometheus.GaugeValue, float64(s.Backlog), s.Destination)
		to <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, age, s.Destination)
		to <- prometheus.MustNewConstMetric(c.deadLetters, prometheus.GaugeValue, float64(s.DeadLetters), s.Destination)
	}
}
