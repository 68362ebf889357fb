package delivery

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// outcomeDiscarded is the outcome of dead letters that retention has removed.
const outcomeDiscarded = "discarded"

// metrics count deliveries.
type metrics struct {
	deliveries *prometheus.CounterVec
	delivering *prometheus.HistogramVec
}

// RegisterMetrics registers the metrics of deliveries, and those of the backlog of the
// queue that current returns; nil is none. It must come after everything that current
// reads is set: scrapes begin before the configuration has started.
func (s *Service) RegisterMetrics(registry *prometheus.Registry, current func() *queue.Queue) error {
	const ns, sub = "caddy", "webhooks"
	s.metrics = metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "deliveries_total",
			Help: "Attempts to deliver by outcome: delivered, retry, dead_letter or handed_back; and dead letters discarded by retention.",
		}, []string{"destination", "outcome"}),
		delivering: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: ns, Subsystem: sub, Name: "delivery_seconds",
			Help:    "The duration of attempts to deliver.",
			Buckets: []float64{1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1, 5, 10, 30, 60},
		}, []string{"destination"}),
	}
	return errors.Join(
		registry.Register(s.metrics.deliveries),
		registry.Register(s.metrics.delivering),
		registry.Register(newBacklogCollector(current)),
	)
}

// statusTimeout is how long a scrape waits for the queue.
const statusTimeout = 5 * time.Second

// backlogCollector reads the backlog when it is scraped.
type backlogCollector struct {
	current                      func() *queue.Queue
	backlog, oldest, deadLetters *prometheus.Desc
	down                         *prometheus.Desc
	commits, ready, bytes, limit *prometheus.Desc
	logUp                        *prometheus.Desc
}

func newBacklogCollector(current func() *queue.Queue) *backlogCollector {
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName("caddy", "webhooks", name), help, []string{"destination"}, nil)
	}
	describeQueue := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName("caddy", "webhooks", name), help, nil, nil)
	}
	return &backlogCollector{
		current:     current,
		backlog:     describe("backlog", "Events that are not delivered yet, without dead letters."),
		oldest:      describe("oldest_undelivered_seconds", "The age of the oldest event that is not delivered yet; 0 for none."),
		deadLetters: describe("dead_letters", "Events that were given up."),
		down:        describe("destination_down", "1 while a destination is probed with one event at a time, because its attempts failed."),
		commits:     describeQueue("queue_commits_total", "Transactions that the queue has committed, each with an fsync."),
		ready:       describeQueue("queue_ready", "1 while the queue takes events."),
		bytes:       describeQueue("queue_bytes", "The size of the stored events."),
		limit:       describeQueue("queue_limit_bytes", "The size of the stored events from which on new ones are refused."),
		logUp: prometheus.NewDesc("caddy_webhooks_queue_log_up",
			"1 while the database of a log of the queue answers this gateway. Most queues have only log 0.", []string{"log"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *backlogCollector) Describe(to chan<- *prometheus.Desc) {
	to <- c.backlog
	to <- c.oldest
	to <- c.deadLetters
	to <- c.down
	to <- c.commits
	to <- c.ready
	to <- c.bytes
	to <- c.limit
	to <- c.logUp
}

// Collect reports the destinations that this gateway works, in the logs in which it does.
// Of those that share the queue, one reports the names that have left the configuration.
// So the metrics of all of them add up.
func (c *backlogCollector) Collect(to chan<- prometheus.Metric) {
	q := c.current()
	if q == nil {
		return
	}
	to <- prometheus.MustNewConstMetric(c.commits, prometheus.CounterValue, float64(q.Commits()))
	bytes, limit := q.Size()
	to <- prometheus.MustNewConstMetric(c.bytes, prometheus.GaugeValue, float64(bytes))
	to <- prometheus.MustNewConstMetric(c.limit, prometheus.GaugeValue, float64(limit))
	c.collectLogs(q, to)
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	to <- prometheus.MustNewConstMetric(c.ready, prometheus.GaugeValue, asGauge(q.Ready(ctx) == nil))
	all, err := q.HeldStatus(ctx)
	if err != nil {
		return // a queue that fails logs it
	}
	for _, s := range all {
		age := 0.0
		if !s.OldestUndelivered.IsZero() {
			age = max(0, time.Since(s.OldestUndelivered).Seconds())
		}
		to <- prometheus.MustNewConstMetric(c.backlog, prometheus.GaugeValue, float64(s.Backlog), s.Destination)
		to <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, age, s.Destination)
		to <- prometheus.MustNewConstMetric(c.deadLetters, prometheus.GaugeValue, float64(s.DeadLetters), s.Destination)
		if s.Here { // others do not know
			to <- prometheus.MustNewConstMetric(c.down, prometheus.GaugeValue, asGauge(s.Down), s.Destination)
		}
	}
}

// collectLogs reports which logs of the queue answer.
func (c *backlogCollector) collectLogs(q *queue.Queue, to chan<- prometheus.Metric) {
	down := q.DownLogs()
	for _, log := range q.LogNumbers() {
		to <- prometheus.MustNewConstMetric(c.logUp, prometheus.GaugeValue, asGauge(!slices.Contains(down, log)), strconv.Itoa(log))
	}
}

func asGauge(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
