package queue

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// elsewhere returns copies of events with other partition keys, which are in other logs.
func elsewhere(events []*Event) []*Event {
	all := copies(events)
	for _, e := range all {
		e.PartitionKey = map[string]string{in0: in3, in1: in2, in2: in0, in3: in1, "": in0}[e.PartitionKey]
	}
	return all
}

// TestStrict sends events again with other partition keys: they get in, unless dedup is
// strict.
func TestStrict(t *testing.T) {
	for _, isStrict := range []bool{false, true} {
		t.Run(fmt.Sprint(isStrict), func(t *testing.T) {
			eachEngine(t, func(t *testing.T, s Settings) {
				s.StrictDedup = isStrict
				g := startWith(t, s, 4)
				events := []*Event{newEvent("0", in0), newEvent("1", in1), newEvent("2", in2), newEvent("3", in3)}
				g.wantAccepted(t, []bool{true, true, true, true}, copies(events)...)
				g.wantAccepted(t, []bool{!isStrict, !isStrict, !isStrict, !isStrict}, elsewhere(events)...)
				g.wantAccepted(t, []bool{false, false, false, false}, elsewhere(events)...)
				g.wantAccepted(t, []bool{true}, withoutWindow(elsewhere(events)[0]))
			})
		})
	}
}

// TestStrictAfterSwitches sends events of all layouts again with other partition keys.
func TestStrictAfterSwitches(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.StrictDedup = true
		g := startWith(t, s, 1)
		var all []*Event
		for stage, n := range []int{1, 2, 4, 1, 3, 2} {
			if stage > 0 {
				g.rearrange(t, n)
			}
			for i, partition := range []string{in0, in1, in2, in3, ""} {
				e := newEvent(fmt.Sprint(stage, "-", i), partition)
				all = append(all, e)
				g.wantAccepted(t, []bool{true}, copies([]*Event{e})...)
			}
			for _, again := range [][]*Event{elsewhere(all), copies(all)} {
				for i, is := range g.keep(t, again...) {
					if is {
						t.Errorf("%s is accepted again under %d logs", all[i].ID, n)
					}
				}
			}
		}
		time.Sleep(3 * time.Hour)
		for i, is := range g.keep(t, elsewhere(all)...) {
			if !is {
				t.Errorf("%s is not accepted after its window", all[i].ID)
			}
		}
	})
}

// TestStrictAtOnce has two gateways get copies of events at the same time, with partition
// keys of different logs: one of each is accepted.
func TestStrictAtOnce(t *testing.T) {
	t.Parallel()
	s := postgresSettings(t, sharedServer.database(t))
	s.StrictDedup = true
	gateways := []*several{startWith(t, s, 4), startWith(t, s, 4)}
	const events = 100
	var accepted [events]atomic.Int64
	var wg sync.WaitGroup
	for i, partition := range []string{in0, in1, in2, in3} {
		wg.Go(func() {
			for n := range events {
				e, next := newEvent(fmt.Sprint(n), partition), newEvent(fmt.Sprint((n+1)%events), partition)
				for of, is := range gateways[i%2].keep(t, e, next) {
					if is {
						accepted[(n+of)%events].Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	for n := range accepted {
		if got := accepted[n].Load(); got != 1 {
			t.Errorf("%d copies of event %d are accepted", got, n)
		}
	}
}

// TestCrashBeforeTheEvent leaves a place whose event was not stored: the next copy is
// accepted, in the log of the place.
func TestCrashBeforeTheEvent(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		s.StrictDedup = true
		g := startWith(t, s, 4)
		e := newEvent("1", in3)
		p := &keyPlace{key: e.Key, log: 3, expires: time.Now().Add(time.Hour)}
		of := g.in(g.q.layout().logOf(placeSlot(e.Key)))
		if err := of.q.writer.do(t.Context(), &change{places: []*keyPlace{p}}); err != nil {
			t.Fatal(err)
		}
		g.wantAccepted(t, []bool{true}, newEvent("1", in1))
		g.wantAccepted(t, []bool{false}, newEvent("1", in3))
		g.wantStored(t, 0, 0, 0, 1)
	})
}

// TestPlaceOfAnEarlierLayout has a switch come between a place and its event: the event
// gets into the log that has its partition key now, or its order would not hold.
func TestPlaceOfAnEarlierLayout(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		s.StrictDedup = true
		g := startWith(t, s, 1)
		id := 0
		for placeSlot(newEvent(strconv.Itoa(id), "").Key) >= slots/4 { // whose place stays in log 0
			id++
		}
		e := newEvent(strconv.Itoa(id), in3)
		p := &keyPlace{key: e.Key, expires: time.Now().Add(time.Hour)}
		if err := g.in(0).q.writer.do(t.Context(), &change{places: []*keyPlace{p}}); err != nil {
			t.Fatal(err)
		}
		g.rearrange(t, 4)
		g.wantAccepted(t, []bool{true}, e)
		g.wantAccepted(t, []bool{false}, newEvent(e.ID, in1))
		g.wantStored(t, 0, 0, 0, 1)
	})
}

// TestPlaces commits places one after the other and at once: the first one stays until it
// has ended, or until its log is not in the layout.
func TestPlaces(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := startWith(t, s, 4).in(0)
		now := time.Now()
		take := func(epoch int64, log int, expires time.Duration, ids ...string) (taken []int, err error) {
			c := &change{epoch: epoch}
			for i, id := range ids {
				c.places = append(c.places, &keyPlace{key: newEvent(id, "").Key, log: log + i, expires: now.Add(expires)})
			}
			err = g.q.writer.do(context.Background(), c)
			return column(c.places, func(p *keyPlace) int { return p.log }), err
		}
		for _, step := range []struct {
			what    string
			epoch   int64
			log     int
			expires time.Duration
			ids     []string
			want    string
		}{
			{"new", 0, 1, time.Hour, []string{"a", "b", "a"}, "[1 2 1] <nil>"},
			{"again", 0, 0, time.Minute, []string{"b", "a"}, "[2 1] <nil>"},
			{"ended", 0, 3, -time.Minute, []string{"c"}, "[3] <nil>"},
			{"over an ended one", 0, 2, time.Hour, []string{"c"}, "[2] <nil>"},
			{"another epoch", 1, 2, time.Hour, []string{"d"}, "[2] " + errMoved.Error()},
		} {
			taken, err := take(step.epoch, step.log, step.expires, step.ids...)
			if got := fmt.Sprint(taken, err); got != step.want {
				t.Errorf("%s: %s, want %s", step.what, got, step.want)
			}
		}
		if err := g.q.do(func(tx *tx) error { return tx.exec(`UPDATE webhooks_queue SET epoch = 1`) }); err != nil {
			t.Fatal(err)
		}
		for range 2 { // of an earlier epoch, and of the same
			if taken, err := take(1, 0, time.Hour, "b", "a"); err != nil || !slices.Equal(taken, []int{0, 1}) {
				t.Errorf("under the next epoch: %v, %v", taken, err)
			}
		}
		if n := g.number(t, `SELECT count(*) FROM webhooks_places`); n != 3 {
			t.Errorf("there are %d places", n)
		}
	})
}

// TestPlacesEnd shows that places are removed when they have ended.
func TestPlacesEnd(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := startWith(t, s, 4).in(0)
		c := new(change)
		for n := range 1200 {
			c.places = append(c.places, &keyPlace{key: newEvent(fmt.Sprint(n), "").Key, expires: time.Now().Add(time.Duration(n%2) * time.Hour)})
		}
		if err := g.q.writer.do(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := g.q.forgetPlaces(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := g.number(t, `SELECT count(*) FROM webhooks_places`); n != 600 {
			t.Errorf("%d places are left", n)
		}
	})
}
