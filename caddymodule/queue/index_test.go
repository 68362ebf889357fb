package queue

import (
	"bytes"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// indexRows returns the rows of the index.
func (g *gateway) indexRows(t testing.TB) map[int64][]byte {
	t.Helper()
	all := make(map[int64][]byte)
	if err := g.q.store.query(t.Context(), `SELECT block, entries FROM webhooks_index`, nil, func(rows *sql.Rows) error {
		var block int64
		var row []byte
		err := rows.Scan(&block, &row)
		all[block] = row
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// wantIndexed waits until so many blocks are indexed, and fails the test unless each row
// is what the events in the database give.
func (g *gateway) wantIndexed(t testing.TB, blocks int) {
	t.Helper()
	eventually(t, "the index", func() bool { return len(g.indexRows(t)) >= blocks })
	all := g.indexRows(t)
	if len(all) != blocks {
		t.Errorf("%d blocks are indexed, want %d", len(all), blocks)
	}
	for block, row := range all {
		times := make(map[int64]int64)
		events, err := g.q.readBlock(g.q.currentEra(), block, times)
		if err != nil {
			t.Fatal(err)
		}
		want := encodeIndex(block, events, func(e *Event) int64 { return times[e.Seq] })
		got, ok := decodeIndex(block, row)
		wanted, _ := decodeIndex(block, want)
		// Times may differ by what the server's clock was adjusted.
		if !ok || !bytes.Equal(got.offsets, wanted.offsets) || !bytes.Equal(got.hashes[hashID], wanted.hashes[hashID]) ||
			max(got.first-wanted.first, wanted.first-got.first) > indexSlack {
			t.Errorf("the row of block %d is wrong", block)
		}
	}
}

func (g *gateway) exec(t testing.TB, statement string) {
	t.Helper()
	if err := g.q.do(func(tx *tx) error { return tx.exec(statement) }); err != nil {
		t.Fatal(err)
	}
}

// TestIndex shows that the index follows behind the log, with commits of all sizes, and
// that what it lacks after a start is added.
func TestIndex(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		all := newEvents(2000)
		for n := 1; len(all) > 0; n = min(len(all), n*2) {
			g.keep(t, all[:n]...)
			all = all[n:]
		}
		g.wantIndexed(t, 7)
		g.exec(t, `DELETE FROM webhooks_index WHERE block <> 3`)
		g.stop(t)
		start(t, s).wantIndexed(t, 7)
	})
}

// TestDuplicatesInIndex has blocks without a single event.
func TestDuplicatesInIndex(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		for range 3 {
			g.keep(t, newEvents(512)...)
		}
		g.wantIndexed(t, 6)
		if found, err := g.q.Search(t.Context(), Search{ID: "77"}, 0, 10); err != nil || len(found.Events) != 1 {
			t.Errorf("%+v, %v", found, err)
		}
	})
}

// TestIndexIsMended shows that a block without a row gets one within a minute, and one
// with a damaged row as soon as a search meets it.
func TestIndexIsMended(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		g.keep(t, newEvents(1024)...)
		time.Sleep(soon)
		before := g.indexRows(t)
		g.exec(t, `UPDATE webhooks_index SET entries = x'0102030405060708' WHERE block = 2`)
		if found, err := g.q.Search(t.Context(), Search{ID: "600"}, 0, 10); err != nil || len(found.Events) != 1 {
			t.Errorf("%+v, %v", found, err)
		}
		time.Sleep(soon)
		if after := g.indexRows(t); !bytes.Equal(after[2], before[2]) {
			t.Errorf("the row is %x", after[2])
		}
		g.exec(t, `DELETE FROM webhooks_index WHERE block IN (0, 2)`)
		time.Sleep(indexInterval + soon)
		g.wantIndexed(t, 4)
	})
}

// TestIndexAfterACrash shows that a crash costs no more than the time to index anew.
func TestIndexAfterACrash(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		release := g.hold(t) // the indexer cannot write
		var wg sync.WaitGroup
		wg.Go(func() { g.keep(t, newEvents(1000)...) })
		synctest.Wait()
		release()
		wg.Wait()
		crashed := start(t, g.crash(t))
		time.Sleep(soon)
		crashed.wantIndexed(t, 3)
	})
}

// TestSweepIndex shows that the index keeps nothing of events that are gone.
func TestSweepIndex(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Retention = time.Hour
		g := start(t, s, newDestination("a", answers(200)), newDestination("paused", answers(200)))
		if err := g.q.Pause(t.Context(), "paused"); err != nil {
			t.Fatal(err)
		}
		events := newEvents(2000)
		for _, e := range events[:300] {
			e.Type = "message.first"
		}
		g.keep(t, events...)
		time.Sleep(soon)
		g.reload(t, newDestination("a", answers(200)), func() Destination {
			d := newDestination("paused", answers(200))
			d.Types = types("message.first") // it waits for nothing else
			return d
		}())
		time.Sleep(2 * time.Hour)
		rows := g.indexRows(t)
		for block := range int64(7) {
			if row, ok := rows[block]; !ok || (len(row) > 0) != (block < 2) {
				t.Errorf("block %d: %t, %d bytes", block, ok, len(row))
			}
		}
		if found, err := g.q.Search(t.Context(), Search{}, 0, 1000); err != nil || len(found.Events) != 300 {
			t.Errorf("%d are left, %v", len(found.Events), err)
		}
		if err := g.q.Resume(t.Context(), "paused"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if rows := g.indexRows(t); len(rows) != 0 {
			t.Errorf("%d rows are left", len(rows))
		}
		if found, err := g.q.Search(t.Context(), Search{}, 0, 1000); err != nil || len(found.Events) != 0 || found.Before != 0 {
			t.Errorf("%+v, %v", found, err)
		}
		g.keep(t, newEvent("another", ""))
		if found, err := g.q.Search(t.Context(), Search{}, 0, 1000); err != nil || len(found.Events) != 1 {
			t.Errorf("%+v, %v", found, err)
		}
	})
}

// TestIndexOfSeveralGateways has gateways fill each block together.
func TestIndexOfSeveralGateways(t *testing.T) {
	t.Parallel()
	gateways := share(t, sharedServer.database(t), 3)
	storeEverywhere(t, gateways, "", 2600)
	gateways[0].wantIndexed(t, int(gateways[0].number(t, `SELECT last FROM webhooks_queue`)/blockEvents))
}

// TestIndexOfALostHistory promotes a standby that lacks events whose numbers are given
// to others: the index has only the others.
func TestIndexOfALostHistory(t *testing.T) {
	t.Parallel()
	r := replicate(t)
	line := pgtest.NewProxy(t, r.primary.Address())
	g := start(t, quietly(postgresSettings(t, line.DSN(r.dsn))))
	g.keep(t, newEvents(100)...)
	r.standby.WaitFor(t, r.primary)
	r.replication.Stick(true)
	for i := range 10 {
		var events []*Event
		for j := range 100 {
			events = append(events, newEvent(fmt.Sprint("lost-", i, "-", j), ""))
		}
		g.keep(t, events...)
	}
	g.wantIndexed(t, 4)
	lost := g.q.currentEra()
	rows := g.indexRows(t)
	r.primary.Kill(t)
	r.standby.Promote(t)
	line.Switch(r.standby.Address())
	for i := range 300 {
		g.insist(t, fmt.Sprint("new-", i), "")
	}
	g.wantIndexed(t, 1)
	if err := g.q.writeIndex(lost, []int64{0, 1, 2}, [][]byte{rows[0], rows[1], rows[2]}); err == nil {
		t.Error("it was written in an era that has ended")
	}
	if err := g.q.writeIndex(newEra(lost.timeline), []int64{0, 1, 2}, [][]byte{rows[0], rows[1], rows[2]}); err != nil {
		t.Error(err)
	}
	g.wantIndexed(t, 1)
	for id, want := range map[string]int{"lost-0-7": 0, "new-7": 1, "7": 1} {
		if found, err := g.q.Search(t.Context(), Search{ID: id}, 0, 10); err != nil || len(found.Events) != want {
			t.Errorf("%s: %+v, %v", id, found, err)
		}
	}
}
