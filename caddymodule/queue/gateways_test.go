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

// share starts gateways that share a database.
func share(t *testing.T, dsn string, n int, destinations ...Destination) []*gateway {
	t.Helper()
	gateways := make([]*gateway, n)
	var wg sync.WaitGroup
	for i := range gateways {
		wg.Go(func() { gateways[i] = start(t, postgresSettings(t, dsn), destinations...) })
	}
	wg.Wait()
	return gateways
}

// whoWorks returns the gateway that works a destination, and the others.
func whoWorks(t testing.TB, gateways []*gateway, name string) (one *gateway, others []*gateway) {
	t.Helper()
	eventually(t, "that one works "+name, func() bool {
		one, others = nil, nil
		for _, g := range gateways {
			if g.status(t, name).Here {
				one = g
			} else {
				others = append(others, g)
			}
		}
		return one != nil
	})
	return one, others
}

// TestGatewaysStoreOnce has three gateways get the same events at once.
func TestGatewaysStoreOnce(t *testing.T) {
	r := new(receiver)
	gateways := share(t, sharedServer.database(t), 3, newDestination("a", r.deliver))
	var accepted atomic.Int64
	var wg sync.WaitGroup
	for _, g := range gateways {
		for part := range 4 {
			wg.Go(func() {
				for i := part; i < 200; i += 4 {
					ok, err := g.g.store(t.Context(), []*Event{newEvent(fmt.Sprint(i), "")})
					if err != nil {
						t.Error(err)
						return
					}
					if ok[0] {
						accepted.Add(1)
					}
				}
			})
		}
	}
	wg.Wait()
	if n := accepted.Load(); n != 200 {
		t.Errorf("%d were accepted", n)
	}
	for _, g := range gateways {
		g.drain(t, "a")
	}
	r.wantEachOnce(t, 200)
	here := 0
	for _, g := range gateways {
		if g.status(t, "a").Here {
			here++
		}
	}
	if here != 1 {
		t.Errorf("%d work it", here)
	}
}

// TestTakeoverAtStop has the work go round as gateways stop in order: nothing is
// repeated, and no gateway waits for a lease to end.
func TestTakeoverAtStop(t *testing.T) {
	t.Parallel()
	dsn := sharedServer.database(t)
	r := &receiver{answer: slow(20 * time.Millisecond)}
	gateways := share(t, dsn, 3, newDestination("a", r.deliver))
	n := 0
	for len(gateways) > 1 {
		for range 100 {
			n++
			gateways[n%len(gateways)].keep(t, newEvent(fmt.Sprint(n), ""))
		}
		one, others := whoWorks(t, gateways, "a")
		begun := time.Now()
		one.stop(t)
		gateways = others
		whoWorks(t, gateways, "a")
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("it took %s", took)
		}
	}
	gateways[0].drain(t, "a")
	r.wantEachOnce(t, n)
}

// prefixes is an application that reports an event that comes before an older one
// of its key was delivered, or while another one of its key is on its way. Repeats
// are not errors.
type prefixes struct {
	receiver
	t *testing.T

	mu        sync.Mutex
	first     map[string]int // by key, the oldest that was not delivered yet
	running   map[string]bool
	delivered map[int]bool
}

func (p *prefixes) deliver(ctx context.Context, d *Delivery) Result {
	n, _ := strconv.Atoi(d.ID)
	p.mu.Lock()
	if p.running[d.PartitionKey] {
		p.t.Errorf("%s/%d is not alone", d.PartitionKey, n)
	}
	for older := n - 10; older >= 0; older -= 10 { // ten keys, in turn
		if !p.delivered[older] {
			p.t.Errorf("%s/%d comes before %d", d.PartitionKey, n, older)
			break
		}
	}
	p.running[d.PartitionKey] = true
	p.mu.Unlock()
	r := p.receiver.deliver(ctx, d)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[d.PartitionKey] = false
	if r.Status == 200 {
		p.delivered[n] = true
	}
	return r
}

// TestTakeoverAfterDeath cuts off the gateway that works an ordered destination:
// another one takes over within seconds, the order holds, and what the first one
// thinks of it does not count any more.
func TestTakeoverAfterDeath(t *testing.T) {
	t.Parallel()
	dsn := sharedServer.database(t)
	p := &prefixes{t: t, running: make(map[string]bool), delivered: make(map[int]bool)}
	p.answer = unreliable(20 * time.Millisecond)
	d := ordered("a", p.deliver)
	line, through := pgProxy(t, dsn)
	first := start(t, quietly(postgresSettings(t, through)), d)
	first.drain(t, "a")
	whoWorks(t, []*gateway{first}, "a")
	second := start(t, postgresSettings(t, dsn), d)

	n := 0
	more := func(g *gateway, count int) {
		for range count {
			g.keep(t, newEvent(fmt.Sprint(n), fmt.Sprint("key-", n%10)))
			n++
		}
	}
	more(second, 300)
	eventually(t, "some", func() bool { return first.o.count(OutcomeDelivered) > 100 })
	line.Stick(true)
	begun := time.Now()
	more(second, 300)
	whoWorks(t, []*gateway{second}, "a")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	eventually(t, "that the first one gives up", func() bool {
		w := first.q.workers["a"]
		w.mu.Lock()
		defer w.mu.Unlock()
		return !w.status.here
	})
	// It knows nothing, and then it is late.
	line.Stick(false)
	more(second, 100)
	second.drain(t, "a")
	if len(p.delivered) != n {
		t.Errorf("%d of %d were delivered", len(p.delivered), n)
	}
	if st := second.status(t, "a"); !st.Here || st.DeadLetters != 0 {
		t.Errorf("%+v", st)
	}
	// It can go on, when there is a need.
	eventually(t, "that the first one accepts", func() bool {
		_, err := first.g.store(t.Context(), []*Event{newEvent(fmt.Sprint(n), fmt.Sprint("key-", n%10))})
		return err == nil
	})
	n++
	second.stop(t)
	more(first, 50)
	whoWorks(t, []*gateway{first}, "a")
	first.drain(t, "a")
	if len(p.delivered) != n {
		t.Errorf("%d of %d were delivered", len(p.delivered), n)
	}
}

// TestControlElsewhere pauses, resumes and replays at a gateway that does not work the
// destination.
func TestControlElsewhere(t *testing.T) {
	t.Parallel()
	r := new(receiver)
	gateways := share(t, sharedServer.database(t), 2, newDestination("a", r.deliver))
	gateways[0].keep(t, newEvents(1)...)
	gateways[0].drain(t, "a")
	_, others := whoWorks(t, gateways, "a")
	other := others[0]
	other.wantReplayed(t, Selection{Keys: keys(newEvents(1)...)}, 1)
	begun := time.Now()
	eventually(t, "the replay", func() bool { return len(r.all()) == 2 })
	if err := other.q.Pause(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(leaseRenewal + 300*time.Millisecond)
	other.keep(t, newEvent("1", ""))
	time.Sleep(300 * time.Millisecond)
	if len(r.all()) != 2 {
		t.Error(r.ids())
	}
	if err := other.q.Resume(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rest", func() bool { return len(r.all()) == 3 })
	if took := time.Since(begun); took > 7*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestNamesOfOthers has gateways with different configurations share a database, as
// they do while a new one is rolled out.
func TestNamesOfOthers(t *testing.T) {
	t.Parallel()
	dsn := sharedServer.database(t)
	r := new(receiver)
	d := newDestination("a", r.deliver)
	d.Concurrency = 1
	with := start(t, postgresSettings(t, dsn), d)
	with.keep(t, newEvent("1", ""))
	with.drain(t, "a")
	without := start(t, postgresSettings(t, dsn))
	waitDeclared(t, without.g)
	without.keep(t, newEvent("2", ""))
	eventually(t, "delivery", func() bool { return len(r.all()) == 2 })
	if st := without.status(t, "a"); !st.Configured || st.Here {
		t.Errorf("%+v", st)
	}

	// Another gateway writes that no configuration has it while no gateway works it.
	if err := without.q.do(func(tx *tx) error {
		return tx.exec(`UPDATE webhooks_destinations SET lease = lease + 1, holder = 'gone'`)
	}); err != nil {
		t.Fatal(err)
	}
	without.reload(t)
	without.keep(t, newEvent("3", ""))
	eventually(t, "that it goes on", func() bool { return len(r.of("3")) > 0 })
	if st := without.status(t, "a"); !st.Configured {
		t.Errorf("%+v", st)
	}

	// It leaves the configuration of the one that works it, and then that of all.
	second := start(t, postgresSettings(t, dsn), d)
	waitDeclared(t, second.g)
	with.reload(t)
	whoWorks(t, []*gateway{second}, "a")
	second.keep(t, newEvent("4", ""))
	second.drain(t, "a")
	r.respond(slow(500 * time.Millisecond))
	second.keep(t, newEvent("under way", ""))
	eventually(t, "an attempt", func() bool { return len(r.of("under way")) == 1 })
	second.reload(t)
	r.respond(answers(200))
	if st := second.status(t, "a"); st.Configured {
		t.Errorf("%+v", st)
	}
	second.keep(t, newEvent("5", ""))
	with.reload(t, d)
	with.keep(t, newEvent("6", ""))
	eventually(t, "delivery", func() bool { return len(r.of("6")) > 0 })
	if got := r.ids(); !slices.Equal(got[len(got)-2:], []string{"under way", "6"}) {
		t.Error(got)
	}
}
