package delivery

import (
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/sampled"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// failingDestination is a destination whose failures are sampled together.
type failingDestination string

// Fields implements sampled.Kind.
func (d failingDestination) Fields() []zap.Field {
	return []zap.Field{zap.String("destination", string(d))}
}

func newFailureLog(logger *zap.Logger) *sampled.Log[failingDestination] {
	return sampled.New[failingDestination](logger, zap.WarnLevel, "delivery failed", "more deliveries failed")
}

// Attempted counts an attempt, adds it to the journal, and logs one that failed. It
// implements queue.Observer, as the methods below do.
func (s *Service) Attempted(a queue.Attempt) {
	s.metrics.deliveries.WithLabelValues(a.Destination, string(a.Outcome)).Inc()
	if a.Took > 0 {
		s.metrics.delivering.WithLabelValues(a.Destination).Observe(a.Took.Seconds())
	}
	s.journal[a.Destination].Attempted(&a)
	if a.Outcome == queue.OutcomeDelivered || a.Outcome == queue.OutcomeHandedBack {
		return
	}
	id := a.Key.String()
	fields := []zap.Field{
		zap.String("outcome", string(a.Outcome)), zap.String("id", id), zap.String("event_id", a.ID), zap.String("type", a.Type),
		zap.Int("attempt", a.Delivery.Attempt), zap.Int("status", a.Status), zap.NamedError("cause", a.Err),
	}
	if !a.Next.IsZero() {
		fields = append(fields, zap.Time("next", a.Next))
	}
	s.failures.Log(failingDestination(a.Destination), fields...)
	if a.Outcome == queue.OutcomeDead {
		s.alerts.send(alertDeadLetter, map[string]any{
			"destination": a.Destination, "id": id, "provider": a.Provider, "event_id": a.ID, "type": a.Type,
			"attempts": a.Delivery.Attempt, "last_status": a.Status,
		})
	}
}

// Down logs that a destination is down, and sends an alert.
func (s *Service) Down(destination string, failures int, last queue.Result) {
	s.logger.Error("a destination is down: it is probed with one event at a time until it answers again",
		zap.String("destination", destination), zap.Int("failures", failures), zap.Int("status", last.Status), zap.NamedError("cause", last.Err))
	s.alerts.send(alertDestinationDown, map[string]any{"destination": destination, "failures": failures, "last_status": last.Status})
}

// Up logs that a destination is not down any more.
func (s *Service) Up(destination string) {
	s.logger.Info("a destination answers again", zap.String("destination", destination))
}

// Discarded counts dead letters that retention has removed.
func (s *Service) Discarded(destination string, n int) {
	s.metrics.deliveries.WithLabelValues(destination, outcomeDiscarded).Add(float64(n))
}
