package queue

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// DeadLetter is an event that a destination did not acknowledge, and that is not tried
// again by itself.
type DeadLetter struct {
	ID          string    `json:"id"`                   // msg_…
	Destination string    `json:"destination"`          // its name
	Provider    string    `json:"provider"`             // its name
	EventID     string    `json:"event_id"`             // the provider's own
	Type        string    `json:"type"`                 // canonical
	Attempts    int       `json:"attempts"`             // that were begun
	LastStatus  int       `json:"last_status"`          // 0 for no answer
	LastError   string    `json:"last_error,omitempty"` // empty for an answer
	Excerpt     string    `json:"excerpt,omitempty"`    // of the last answer
	Received    time.Time `json:"received"`             // by the gateway
	Died        time.Time `json:"died"`                 // after the last attempt

	// Body is the stored body of the event. Only DeadLettersOf fills it in.
	Body []byte `json:"-"`
}

const columnsOfDead = `e.key, d.name, e.provider, e.event_id, e.type, d.attempts, d.status, d.error, d.excerpt, d.received, d.tried`

// DeadLetters returns the latest dead letters, at most limit, of one destination or, if
// that is empty, of all.
func (q *eventLog) DeadLetters(ctx context.Context, destination string, limit int) ([]DeadLetter, error) {
	all := []DeadLetter{}
	err := q.query(ctx, `SELECT `+columnsOfDead+` FROM webhooks_deliveries d JOIN webhooks_events e ON e.seq = d.seq
		WHERE d.state = 'dead' AND (d.name = $1 OR $1 = '') ORDER BY d.tried DESC, d.seq DESC`+limitTo("$2"), []any{destination, limit},
		func(rows *sql.Rows) error {
			d, err := q.store.scanDead(rows)
			all = append(all, d)
			return err
		})
	return all, err
}

// Subqueries for the events with a key, $1: the last one, and dead letters. A dead letter
// can be older than the last event if the window of the key had ended in between. Dead
// letters are searched one by one, which is slow, and rarely needed.
const (
	lastOfKey = `(SELECT seq FROM webhooks_keys WHERE key = $1)`
	deadOfKey = `(SELECT d.seq FROM webhooks_deliveries d CROSS JOIN webhooks_events e
		WHERE e.seq = d.seq AND d.state = 'dead' AND e.key = $1)`
)

// DeadLettersOf returns the dead letters of one event, with its body.
func (q *eventLog) DeadLettersOf(ctx context.Context, key envelope.Key) (all []DeadLetter, err error) {
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
	return nil, fmt.Errorf("%w: %s is not a dead letter", ErrUnknown, key)
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
