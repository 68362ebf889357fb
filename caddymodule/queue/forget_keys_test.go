package queue

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// TestForgetKeysTogether has two gateways remove the same keys, in more than one step.
func TestForgetKeysTogether(t *testing.T) {
	t.Parallel()
	dsn := sharedServer.database(t)
	line := pgtest.NewProxy(t, sharedServer.server.Address())
	line.Delay(2 * time.Millisecond) // so that the steps of one come between those of the other
	gateways := []*gateway{start(t, postgresSettings(t, dsn)), start(t, postgresSettings(t, line.DSN(dsn)))}
	for range 3 {
		if err := gateways[0].q.do(func(tx *tx) error {
			if err := tx.exec(`INSERT INTO webhooks_keys (key, expires, seq) SELECT sha256(n::text::bytea), n % 7, n FROM generate_series(1, 3000) n`); err != nil {
				return err
			}
			return tx.exec(`INSERT INTO webhooks_expired_keys (expires, key) SELECT expires, key FROM webhooks_keys`)
		}); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, g := range gateways {
			wg.Go(func() {
				if err := g.q.forgetKeys(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		// The first sweeps of the gateways may be removing some, too.
		left := int64(-1)
		for begun := time.Now(); left != 0 && time.Since(begun) < 10*time.Second; time.Sleep(2 * time.Millisecond) {
			left = gateways[0].number(t, `SELECT (SELECT count(*) FROM webhooks_keys) + (SELECT count(*) FROM webhooks_expired_keys)`)
		}
		if left != 0 {
			t.Fatalf("%d rows are left", left)
		}
	}
}
