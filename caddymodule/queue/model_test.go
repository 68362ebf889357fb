package queue

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

var (
	modelSeed      = flag.Uint64("model-seed", 0, "the seed of the only schedule of TestModel; 0 for others each time")
	modelSchedules = flag.Int("model-schedules", 0, "how many schedules TestModel tries with each number of logs; 0 for 6, or 1 with the race detector")
)

// TestModel compares a queue with a model, through random schedules of stores,
// duplicates, failures, lost leases, crashes, restarts, reloads and pauses; see account
// for what it checks. -model-seed repeats a schedule: what happens when, and what the
// applications answer. The order of goroutines that run at the same time, and the random
// part of a backoff, are others each time.
func TestModel(t *testing.T) {
	t.Parallel()
	n := *modelSchedules
	if n == 0 {
		n = 6
		if isRaced { // which makes SQLite twenty times slower
			n = 1
		}
	}
	for _, logs := range []int{1, 4} {
		for range n {
			seed := *modelSeed
			if seed == 0 {
				seed = rand.Uint64()
			}
			t.Run(fmt.Sprintf("logs=%d/seed=%d", logs, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { newSchedule(t, seed, logs).run() })
			})
			if *modelSeed != 0 {
				break
			}
		}
	}
}

// schedule is one random schedule.
type schedule struct {
	t    *testing.T
	r    *rand.Rand
	logs int
	a    *account
	p    *process
	keys []sample // of earlier events
	next int      // the ID of the next event
}

// sample is what a provider sends, perhaps more than once.
type sample struct {
	key       string
	partition string
	window    time.Duration
}

const (
	modelSteps = 60

	// modelTime is the format of times in what a schedule logs.
	modelTime = "15:04:05.000"

	// maxHold is how long a schedule may hold the writer.
	maxHold = 50 * time.Millisecond
)

func newSchedule(t *testing.T, seed uint64, logs int) *schedule {
	s := &schedule{t: t, r: rand.New(rand.NewPCG(seed, 0)), logs: logs, a: newAccount(t, seed)}
	s.p = startProcess(t, s.a, quietly(testSettings(t)), logs, s.destinations())
	return s
}

// destinations returns a configuration: the names stay, and so does the order.
func (s *schedule) destinations() []Destination {
	var all []Destination
	for _, name := range []string{"ordered", "other", "narrow"} {
		d := newDestination(name, nil)
		d.Ordered = name != "other"
		d.Attempts = pick(s.r, 1, 2, 4, 4, 7)
		d.Concurrency = pick(s.r, 1, 2, 3, 8, 16)
		d.Backoff = Backoff{50 * time.Millisecond, 2 * time.Second}
		d.Timeout = 3 * time.Second
		if name == "narrow" {
			d.Concurrency = 2
		}
		all = append(all, d)
	}
	return all
}

// run runs the schedule, and checks what has become of it.
func (s *schedule) run() {
	defer func() { s.p.stop(context.Background()) }()
	for range modelSteps {
		if s.t.Failed() {
			return
		}
		s.step()
		time.Sleep(pick(s.r, 0, s.upTo(20*time.Millisecond), s.upTo(400*time.Millisecond), s.upTo(3*time.Second)))
	}
	time.Sleep(pick(s.r, 0, s.upTo(time.Minute)))
	s.settle()
}

// upTo returns a random time.
func (s *schedule) upTo(d time.Duration) time.Duration { return time.Duration(s.r.Int64N(int64(d))) }

// step does one thing. Most of all, it stores events.
func (s *schedule) step() {
	if s.r.IntN(3) > 0 {
		s.storeSome()
		return
	}
	do := modelActions[s.r.IntN(len(modelActions))]
	s.t.Logf("%s: %s", time.Now().Format(modelTime), do.name)
	do.run(s)
}

// modelActions are what a schedule does beside storing events.
var modelActions = []struct {
	name string
	run  func(*schedule)
}{
	{"copies at the same time", (*schedule).copies},
	{"copies at the same time", (*schedule).copies},
	{"lease lost", (*schedule).loseLease},
	{"lease lost", (*schedule).loseLease},
	{"era ends", (*schedule).endEra},
	{"crash", (*schedule).crash},
	{"crash", (*schedule).crash},
	{"crash while storing", (*schedule).crashWhileStoring},
	{"restart", (*schedule).restart},
	{"restart that cuts attempts short", (*schedule).restartAtOnce},
	{"reload", (*schedule).reload},
	{"reload", (*schedule).reload},
	{"pause or resume", (*schedule).pause},
	{"pause or resume", (*schedule).pause},
	{"application breaks down", (*schedule).breakDown},
	{"windows end", (*schedule).passWindow},
}

// storeSome stores a request of some events.
func (s *schedule) storeSome() {
	var events []*Event
	for range 1 + s.r.IntN(6) {
		events = append(events, s.event(s.sample()))
	}
	s.store(events)
}

// sample returns what may have been sent before.
func (s *schedule) sample() sample {
	if len(s.keys) > 0 && s.r.IntN(4) == 0 {
		return s.keys[s.r.IntN(len(s.keys))]
	}
	one := sample{
		key:       fmt.Sprint(len(s.keys)),
		partition: pick(s.r, "", "1", "2", "3", "4", "5", "6", "7", "8"),
		window:    pick(s.r, 0, 5*time.Second, time.Minute, time.Hour),
	}
	s.keys = append(s.keys, one)
	return one
}

// event returns an event that arrives now. Each copy has an ID of its own.
func (s *schedule) event(of sample) *Event {
	s.next++
	e := newEvent(fmt.Sprint(s.next), of.partition)
	e.Key, e.Window = envelope.NewKey(testSource, of.key), of.window
	return e
}

// store stores events, and checks which are accepted.
func (s *schedule) store(events []*Event) {
	for _, e := range events {
		s.a.offer(e)
	}
	accepted, err := s.p.g.Store(context.Background(), events)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, e := range events {
		if accepted[i] == s.a.isDuplicate(e.Key) {
			s.t.Errorf("event %s with key %s is accepted: %v", e.ID, e.Key, accepted[i])
		}
		s.note(e, accepted[i])
	}
}

func (s *schedule) note(e *Event, isAccepted bool) {
	if isAccepted {
		s.a.keep(e)
	} else {
		s.a.forget(e)
	}
}

// copies stores copies of an event at the same time: one is accepted, if any may be.
func (s *schedule) copies() {
	of := s.sample()
	for of.window == 0 {
		of = s.sample()
	}
	events := make([]*Event, 2+s.r.IntN(4))
	for i := range events {
		events[i] = s.event(of)
		s.a.offer(events[i])
	}
	accepted := make([]bool, len(events))
	each(events, func(i int, e *Event) {
		all, err := s.p.g.Store(context.Background(), []*Event{e})
		if err != nil {
			s.t.Error(err)
			return
		}
		accepted[i] = all[0]
	})
	want := 1
	if s.a.isDuplicate(events[0].Key) {
		want = 0
	}
	for i, e := range events {
		if accepted[i] {
			want--
		}
		s.note(e, accepted[i])
	}
	if want != 0 {
		s.t.Errorf("%d of %d copies too few are accepted", want, len(events))
	}
}

// answerOf returns what an application answers to an attempt. It is the same whenever
// the seed is.
func answerOf(seed uint64, destination, id string, attempt int) modelAnswer {
	h := fnv.New64a()
	fmt.Fprint(h, destination, " ", id, " ", attempt)
	r := rand.New(rand.NewPCG(seed, h.Sum64()))
	short := time.Duration(r.Int64N(int64(300 * time.Millisecond)))
	switch n := r.IntN(100); {
	case n < 55:
		return modelAnswer{200, pick(r, 0, short)}
	case n < 65:
		return modelAnswer{200, 10 * short}
	case n < 90:
		return modelAnswer{pick(r, 500, 503), pick(r, 0, short)}
	case n < 95:
		return modelAnswer{410, short}
	}
	return modelAnswer{200, time.Hour} // which is longer than an attempt may take
}
