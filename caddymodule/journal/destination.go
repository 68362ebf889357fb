package journal

import (
	"context"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// Destination is the state of a destination.
type Destination struct {
	queue.DestinationStatus

	// The rates and durations of attempts of this gateway in the last minute.
	DeliveredPerSecond float64 `json:"delivered_per_second"`
	FailedPerSecond    float64 `json:"failed_per_second"`
	TookP50MS          float64 `json:"took_p50_ms"` // 0 for no attempts
	TookP99MS          float64 `json:"took_p99_ms"` // 0 for no attempts

	// Hour has the numbers of each of the last 60 minutes, the oldest first.
	Hour []Minute `json:"-"`
}

// Destinations returns all destinations, sorted by name; none without a queue.
func (j *Journal) Destinations(ctx context.Context) ([]Destination, error) {
	if j.queue == nil {
		return nil, nil
	}
	all, err := j.queue.Status(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]Destination, len(all))
	for i, status := range all {
		found[i].DestinationStatus = status
		j.memory.fillDestination(&found[i])
	}
	return found, nil
}

// DestinationMemory is what is remembered of the destination with a name.
type DestinationMemory struct {
	memory *Memory
	name   string
	users  int // guarded by memory.mu

	mu    sync.Mutex
	rates rates
	took  durations
}

// Attempted notes an attempt that has ended.
func (d *DestinationMemory) Attempted(a *queue.Attempt) {
	now := d.memory.now()
	if a.Took > 0 && a.Outcome != queue.OutcomeHandedBack { // which says nothing about the destination
		d.note(now, a.Took, a.Outcome == queue.OutcomeDelivered)
	}
	d.memory.feed.publishAttempt(a, now)
}

func (d *DestinationMemory) note(now time.Time, took time.Duration, isDelivered bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.took.add(now, took)
	if isDelivered {
		d.rates.add(now, 1, 0)
	} else {
		d.rates.add(now, 0, 1)
	}
}

// fillDestination fills in what is remembered of a destination.
func (m *Memory) fillDestination(to *Destination) {
	now := m.now()
	d := m.destination(to.Destination)
	if d == nil {
		to.Hour = new(rates).hour(now)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ok, bad := d.rates.lastMinute(now)
	to.DeliveredPerSecond, to.FailedPerSecond = float64(ok)/60, float64(bad)/60
	took := d.took.quantiles(now, 0.5, 0.99)
	to.TookP50MS, to.TookP99MS = milliseconds(took[0]), milliseconds(took[1])
	to.Hour = d.rates.hour(now)
}

// milliseconds returns a duration in milliseconds, to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
