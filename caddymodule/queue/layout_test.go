package queue

import (
	"context"
	"errors"
	"testing"
)

// setEpoch begins a layout in a log, without the rest of a switch.
func (g *gateway) setEpoch(t testing.TB, epoch int64) {
	t.Helper()
	err := g.q.do(func(t *tx) error {
		return t.exec(`UPDATE webhooks_queue SET epoch = $1, counted = last`, epoch)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestStoreUnderAnotherEpoch shows that a log takes events only under its own epoch, and
// that those of another one do not disturb others of their commit.
func TestStoreUnderAnotherEpoch(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, quietly(s), newDestination("a", new(receiver).deliver))
		g.keep(t, newEvent("before", ""))
		g.setEpoch(t, 2)
		for _, epoch := range []int64{0, 1, 3} {
			err := g.q.writer.do(t.Context(), &change{events: newEvents(3), epoch: epoch})
			if !errors.Is(err, errMoved) || !errors.Is(err, ErrUnavailable) {
				t.Errorf("epoch %d: %v", epoch, err)
			}
		}
		release := g.hold(t)
		older := &change{events: newEvents(2), epoch: 1}
		newer := &change{events: []*Event{newEvent("before", ""), newEvent("new", "")}, epoch: 2}
		g.q.writer.submit(context.Background(), older)
		g.q.writer.submit(context.Background(), newer)
		release()
		if err := <-older.done; !errors.Is(err, errMoved) {
			t.Error(err)
		}
		if err := <-newer.done; err != nil {
			t.Error(err)
		}
		wantAccepted(t, newer.accepted, false, true)
		if last, counted := g.number(t, `SELECT last FROM webhooks_queue`), g.number(t, `SELECT counted FROM webhooks_queue`); last != 3 || counted != 3 {
			t.Errorf("last is %d, and counted %d", last, counted)
		}
		if n := g.number(t, `SELECT count(*) FROM webhooks_events`); n != 2 {
			t.Errorf("%d events", n)
		}
		g.wantBytes(t)
	})
}
