package queue

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// LogStatus is the state of one log of a queue, as this gateway sees it.
type LogStatus struct {
	// Log is its number, from 0.
	Log int `json:"log"`

	// Up is true while its database answers this gateway.
	Up bool `json:"up"`

	// Bytes is what its events take, as this gateway has read it last.
	Bytes int64 `json:"bytes"`

	// Destinations is the progress of each destination in this log. Empty if the
	// database does not answer.
	Destinations []DestinationStatus `json:"destinations"`
}

// DownLogs returns the numbers of the logs whose database does not answer this gateway.
func (q *Queue) DownLogs() []int {
	var down []int
	for _, l := range q.logs() {
		if !l.isUp() {
			down = append(down, l.number)
		}
	}
	return down
}

// Logs returns the state of each log.
func (q *Queue) Logs(ctx context.Context) []LogStatus {
	answers := q.askStatus(ctx)
	all := make([]LogStatus, len(answers))
	for i, a := range answers {
		all[i] = LogStatus{Log: a.log.number, Up: a.err == nil && a.log.isUp(), Bytes: a.log.writer.bytes.Load(), Destinations: a.value}
	}
	return all
}

// Status returns the progress of each destination in all logs, sorted by name. Logs that
// do not answer are missing in it; LogsMissing counts them.
func (q *Queue) Status(ctx context.Context) ([]DestinationStatus, error) {
	return q.status(ctx, func(*DestinationStatus) bool { return true })
}

// HeldStatus is like Status, but of each destination it has only the logs in which this
// gateway holds the lease: those of all gateways add up. Of a name that has left the
// configuration, one gateway has the log.
func (q *Queue) HeldStatus(ctx context.Context) ([]DestinationStatus, error) {
	return q.status(ctx, func(s *DestinationStatus) bool { return s.counted })
}

// status is Status for those of each log that are selected.
func (q *Queue) status(ctx context.Context, selects func(s *DestinationStatus) bool) ([]DestinationStatus, error) {
	answers := q.askStatus(ctx)
	for i := range answers {
		answers[i].value = slices.DeleteFunc(answers[i].value, func(s DestinationStatus) bool { return !selects(&s) })
	}
	if len(answers) == 1 {
		return answers[0].value, answers[0].err
	}
	byName := make(map[string]DestinationStatus)
	missing := 0
	var failed error
	for _, a := range answers {
		if a.err != nil {
			missing, failed = missing+1, cmp.Or(failed, a.err)
			continue
		}
		for _, s := range a.value {
			if other, ok := byName[s.Destination]; ok {
				s = merged(other, s)
			}
			byName[s.Destination] = s
		}
	}
	if missing == len(answers) {
		return nil, failed
	}
	all := make([]DestinationStatus, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		s := byName[name]
		s.LogsMissing = missing
		all = append(all, s)
	}
	return all, nil
}

func (q *Queue) askStatus(ctx context.Context) []logAnswer[[]DestinationStatus] {
	return ask(ctx, q, func(ctx context.Context, l *eventLog) ([]DestinationStatus, error) { return l.Status(ctx) })
}

// merged returns the progress of a destination in some logs and another one.
func merged(a, b DestinationStatus) DestinationStatus {
	m := DestinationStatus{
		Destination: a.Destination,
		Configured:  a.Configured || b.Configured,
		Here:        a.Here || b.Here,
		Paused:      a.Paused || b.Paused,
		Down:        a.Down || b.Down,
		Backlog:     a.Backlog + b.Backlog,
		DeadLetters: a.DeadLetters + b.DeadLetters,
		Gateway:     bothGateways(a.Gateway, b.Gateway),

		OldestUndelivered: earliest(a.OldestUndelivered, b.OldestUndelivered),
		LastDelivered:     later(a.LastDelivered, b.LastDelivered),
	}
	last := a
	if b.LastFailed.After(a.LastFailed) {
		last = b
	}
	m.LastFailed, m.LastStatus, m.LastError = last.LastFailed, last.LastStatus, last.LastError
	// A delivery in one log ends the failures in a row of the other.
	if since := earliest(a.FailedSince, b.FailedSince); !since.IsZero() && m.LastFailed.After(m.LastDelivered) {
		m.FailedSince = later(since, m.LastDelivered)
	}
	return m
}

// earliest returns the earlier of two times; zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// gatewaySeparator is between the names of several gateways.
const gatewaySeparator = ", "

// bothGateways returns a list of gateways with another one, each once and sorted.
func bothGateways(all, one string) string {
	var names []string
	for name := range strings.SplitSeq(all+gatewaySeparator+one, gatewaySeparator) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, gatewaySeparator)
}

// Known returns ErrUnknown unless one of the logs has a destination of that name.
func (q *Queue) Known(ctx context.Context, name string) error {
	_, err := askAny(ctx, q, func(ctx context.Context, l *eventLog) (struct{}, error) { return struct{}{}, l.known(ctx, name) })
	return err
}

// Ready returns nil if one of the logs accepts events as large as the last ones. To find
// out, each of them writes as many bytes, at most once a second.
func (q *Queue) Ready(ctx context.Context) error {
	logs := q.logs()
	if len(logs) == 1 {
		return logs[0].Ready(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // one is enough
	results := make(chan error, len(logs))
	for _, l := range logs {
		go func() { results <- l.Ready(ctx) }()
	}
	var failed error
	for range logs {
		switch err := <-results; {
		case err == nil:
			return nil
		case failed == nil, errors.Is(err, ErrFull):
			failed = err
		}
	}
	return failed
}

// Size returns the number of bytes that the events of all logs take, and how many they
// may take.
func (q *Queue) Size() (bytes, limit int64) {
	b := &q.budget
	return b.bytes.Load(), b.limit.Load()
}

// Commits returns the number of transactions that were committed, each with an fsync.
func (q *Queue) Commits() (n int64) {
	for _, l := range q.logs() {
		n += l.Commits()
	}
	return n
}
