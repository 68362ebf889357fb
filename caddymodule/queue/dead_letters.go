package queue

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// DeadLetter is an event that a destination did not take.
type DeadLetter struct {
	ID          string    `json:"id"` // msg_…
	Destination string    `json:"destination"`
	Provider    string    `json:"provider"`
	EventID     string    `json:"event_id"` // the provider's own
	Type        string    `json:"type"`
	Attempts    int       `json:"attempts"`
	LastStatus  int       `json:"last_status"` // 0 for no answer
	LastError   string    `json:"last_error,omitempty"`
	Excerpt     string    `json:"excerpt,omitempty"` // of the last answer
	Received    time.Time `json:"received"`
	Died        time.Time `json:"died"`

	// Body is what the destination was sent; only DeadLettersOf fills it in.
	Body []byte `json:"-"`
}

const columnsOfDead = `e.key, d.name, e.provider, e.event_id, e.type, d.attempts, d.status, d.error, d.excerpt, d.received, d.tried`

// DeadLetters returns the latest dead letters, of one destination or all.
func (q *Queue) DeadLetters(ctx context.Context, destination string, limit int) ([]DeadLetter, error) {
	all := []DeadLetter{}
	err := q.query(ctx, `SELECT `+columnsOfDead+` FROM webhooks_deliveries d JOIN webhooks_events e ON e.seq = d.seq
		WHERE d.state = 'dead' AND (d.name = $1 OR $1 = '') ORDER BY d.tried DESC, d.seq DESC LIMIT $2`, []any{destination, limit},
		func(rows *sql.Rows) error {
			d, err := q.store.scanDead(rows)
			all = append(all, d)
			return err
		})
	return all, err
}

// What selects events by their key, $1. Beside the last one that has it there can
// be dead letters of the same name from before, when it was not remembered any
// more; they are looked for one by one, which is slow, and rare.
const (
	lastOfKey = `(SELECT seq FROM webhooks_keys WHERE key = $1)`
	deadOfKey = `(SELECT d.seq FROM webhooks_deliveries d CROSS JOIN webhooks_events e
		WHERE e.seq = d.seq AND d.state = 'dead' AND e.key = $1)`
)

// DeadLettersOf returns the dead letters of one event, with what the
// destinations were sent.
func (q *Queue) DeadLettersOf(ctx context.Context, key envelope.Key) (all []DeadLetter, err error) {
	for _, ofKey := range []string{lastOfKey, deadOfKey} {
		err := q.query(ctx, `SELECT `+columnsOfDead+`, e.body FROM webhooks_deliveries d JOIN webhooks_events e ON e.seq = d.seq
			WHERE d.state = 'dead' AND d.seq IN `+ofKey+` ORDER BY d.name, d.seq`, []any{key[:]},
			func(rows *sql.Rows) error {
				var body []byte
				d, err := q.store.scanDead(rows, &body)
				d.Body = body
				all = append(all, d)
				return err
			})
		if err != nil || len(all) > 0 {
			return all, err
		}
	}
	return nil, fmt.Errorf("%w: %s is no dead letter", ErrUnknown, key)
}

func (s *store) scanDead(rows *sql.Rows, more ...any) (DeadLetter, error) {
	var d DeadLetter
	var key, excerpt []byte
	var received, tried int64
	err := rows.Scan(append([]any{&key, &d.Destination, &d.Provider, &d.EventID, &d.Type, &d.Attempts, &d.LastStatus, &d.LastError, &excerpt, &received, &tried}, more...)...)
	if len(key) == len(envelope.Key{}) {
		d.ID = envelope.Key(key).String()
	}
	d.Excerpt = storable(string(excerpt))
	d.Received, d.Died = s.time(received).UTC(), s.time(tried).UTC()
	return d, err
}
