package queue

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
)

// quietly returns settings that log nothing.
func quietly(s Settings) Settings {
	s.Logger = zap.NewNop()
	return s
}

// TestFencing takes the lease away from a gateway that does not know it, with
// attempts under way.
func TestFencing(t *testing.T) {
	t.Parallel()
	r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
		if n, _ := strconv.Atoi(d.ID); n%2 == 0 {
			return slow(100*time.Millisecond)(ctx, d)
		}
		<-ctx.Done()
		return Result{Err: context.Cause(ctx)}
	}}
	g := start(t, quietly(postgresSettings(t, sharedServer.database(t))), newDestination("a", r.deliver))
	g.keep(t, newEvents(2)...)
	eventually(t, "attempts", func() bool { return len(r.all()) == 2 })
	const state = `SELECT position + 1000 * begun + 1000000 * (SELECT count(*) FROM webhooks_deliveries) FROM webhooks_destinations`
	before := g.number(t, state)
	if err := g.q.do(func(tx *tx) error {
		if err := tx.exec(`INSERT INTO webhooks_gateways (holder, until, names) VALUES ('another', ` + pgClock + ` + 2000000, '["a"]')`); err != nil {
			return err
		}
		return tx.exec(`UPDATE webhooks_destinations SET holder = 'another', lease = lease + 1`)
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the loss of the lease", func() bool { return !g.status(t, "a").Here })
	time.Sleep(200 * time.Millisecond)
	if after := g.number(t, state); after != before {
		t.Errorf("it wrote %d over %d", after, before)
	}
	if n := g.o.count(OutcomeHandedBack); n != 1 {
		t.Errorf("observed: %v", g.o.all())
	}
	// When the other one does not go on, it may again.
	r.respond(answers(200))
	g.keep(t, newEvent("2", ""))
	g.drain(t, "a")
	if n := g.o.count(OutcomeDelivered); n < 3 {
		t.Errorf("observed: %v", g.o.all())
	}
	if st := g.status(t, "a"); !st.Here {
		t.Errorf("%+v", st)
	}
	for _, a := range r.of("1") {
		if a.attempt > 2 {
			t.Errorf("%+v", a)
		}
	}
}

// TestLateCommit has events whose transactions take half a second, and others that
// are stored elsewhere meanwhile: no gateway passes it by.
func TestLateCommit(t *testing.T) {
	t.Parallel()
	r := new(receiver)
	d := newDestination("a", r.deliver)
	d.Concurrency = 1
	gateways := share(t, sharedServer.database(t), 2, d)
	if err := gateways[0].q.do(func(tx *tx) error {
		if err := tx.exec(`CREATE FUNCTION sleep() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$ LANGUAGE plpgsql`); err != nil {
			return err
		}
		return tx.exec(`CREATE TRIGGER late BEFORE INSERT ON webhooks_events FOR EACH ROW WHEN (NEW.type = 'late') EXECUTE FUNCTION sleep()`)
	}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	bySeq := make(map[int64]string)
	store := func(g *gateway, e *Event) {
		if _, err := g.g.store(t.Context(), []*Event{e}); err != nil {
			t.Error(err)
		}
		mu.Lock()
		bySeq[e.Seq] = e.ID
		mu.Unlock()
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 2 {
			e := newEvent(fmt.Sprint("late", i), "")
			e.Type = "late"
			store(gateways[0], e)
		}
	})
	wg.Go(func() {
		for i := range 60 {
			store(gateways[1], newEvent(fmt.Sprint(i), ""))
			time.Sleep(10 * time.Millisecond)
		}
	})
	wg.Wait()
	eventually(t, "delivery", func() bool { return len(r.all()) == len(bySeq) })
	var want []string
	for seq := range int64(len(bySeq)) {
		want = append(want, bySeq[seq+1])
	}
	r.wants(t, want...)
}
