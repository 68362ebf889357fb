package queue

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestDuplicatesAfterSwitches sends each event again after every switch: it is accepted
// once until its window has ended, and once more after that.
func TestDuplicatesAfterSwitches(t *testing.T) {
	for _, isStrict := range []bool{false, true} {
		t.Run(fmt.Sprint("strict ", isStrict), func(t *testing.T) {
			eachEngine(t, func(t *testing.T, s Settings) {
				s.StrictDedup = isStrict
				g := startWith(t, s, 1)
				var all []*Event
				add := func(stage int) {
					for i, partition := range []string{in0, in1, in2, in3, "", "", "", ""} {
						all = append(all, newEvent(fmt.Sprint(stage, "-", i), partition))
					}
				}
				repeat := func(want bool) {
					t.Helper()
					for i, is := range g.keep(t, copies(all)...) {
						if is != want {
							t.Errorf("%s: accepted %t under %d logs", all[i].ID, is, g.q.layout().logs)
						}
					}
				}
				for stage, n := range []int{1, 2, 4, 1, 3} {
					if stage > 0 {
						g.rearrange(t, n)
					}
					repeat(false)
					had := len(all)
					add(stage)
					for i, is := range g.keep(t, copies(all[had:])...) {
						if !is {
							t.Errorf("%s is not accepted", all[had+i].ID)
						}
					}
					repeat(false)
				}
				if s.Engine != SQLite {
					return // a window takes too long
				}
				time.Sleep(2 * time.Hour)
				repeat(true)
				repeat(false)
			})
		})
	}
}

// copies returns events as they come again now.
func copies(events []*Event) []*Event {
	return column(events, func(e *Event) *Event {
		c := *e
		c.Received = time.Now()
		return &c
	})
}

// TestCountOfDuplicatesInAnOldLog shows that a duplicate counts where its event is.
func TestCountOfDuplicatesInAnOldLog(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := startWith(t, s, 1)
		g.keep(t, newEvent("1", in3))
		g.rearrange(t, 4)
		for range 3 {
			g.wantAccepted(t, []bool{false}, newEvent("1", in3))
		}
		g.wantAccepted(t, []bool{false, false}, newEvent("1", in3), newEvent("1", in3))
		time.Sleep(2 * duplicatesInterval)
		if n := g.in(0).number(t, `SELECT duplicates FROM webhooks_keys`); n != 5 {
			t.Errorf("%d duplicates are counted", n)
		}
		g.wantStored(t, 1, 0, 0, 0)
	})
}

// TestOldLogIsNotAsked shows when a log that had a slot before need not answer: for events
// without a window, for other slots, and after the last window. Meanwhile it must.
func TestOldLogIsNotAsked(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := startWith(t, s, 2)
		g.keep(t, newEvent("0", in0), newEvent("1", in1), newEvent("2", in2), newEvent("3", in3))
		g.rearrange(t, 4) // moves the slots of in1 from log 0, of in2 from log 1, and of in3
		g.hideKeys(t, 1)
		g.wantAccepted(t, []bool{true, false}, newEvent("a", in0), newEvent("0", in0))
		g.wantAccepted(t, []bool{true, true}, withoutWindow(newEvent("b", in2)), withoutWindow(newEvent("c", in3)))
		for _, partition := range []string{in2, in3} {
			if _, err := g.g.Store(t.Context(), []*Event{newEvent("d", partition)}); !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s: %v", partition, err)
			}
		}
		time.Sleep(time.Hour + time.Second)
		g.wantAccepted(t, []bool{true, true}, newEvent("d", in2), newEvent("3", in3))
	})
}

// hideKeys makes it impossible to read the keys of a log.
func (g *several) hideKeys(t testing.TB, number int) {
	t.Helper()
	if err := g.q.logs()[number].do(func(tx *tx) error { return tx.exec(`ALTER TABLE webhooks_keys RENAME TO hidden_keys`) }); err != nil {
		t.Fatal(err)
	}
}
