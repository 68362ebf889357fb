package queue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// process is a gateway of a schedule, from its start to its end or its crash.
type process struct {
	t         *testing.T
	a         *account
	s         Settings
	q         *Queue
	g         *Generation
	config    []Destination
	isCrashed bool // a.mu is held: what it does has no effect any more
}

func startProcess(t *testing.T, a *account, s Settings, logs int, config []Destination) *process {
	p := &process{t: t, a: a, s: s, q: openSeveral(t, s, logs)}
	p.serve(config)
	return p
}

// serve makes a configuration the current one.
func (p *process) serve(config []Destination) {
	p.config = slices.Clone(config)
	for i := range p.config {
		to := &p.config[i]
		to.Deliver = func(ctx context.Context, d *Delivery) Result { return p.deliver(ctx, to, d) }
	}
	p.g = p.q.Serve(Service{Destinations: p.config, Observer: p, Retention: p.s.Retention, Size: p.s.Size})
}

// gone reports whether the process has crashed.
func (p *process) gone() bool {
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	return p.isCrashed
}

// deliver is the application.
func (p *process) deliver(ctx context.Context, to *Destination, d *Delivery) Result {
	if p.gone() {
		return Result{Err: errors.New("the process is gone")}
	}
	r := p.a.begin(to, d).give(ctx)
	if !p.gone() {
		p.a.end(to, d, r)
	}
	return r
}

// Attempted notes dead letters.
func (p *process) Attempted(a Attempt) {
	if a.Outcome == OutcomeDead && !p.gone() {
		p.a.die(a.Destination, &a.Delivery)
	}
}

func (p *process) Down(string, int, Result) {}

func (p *process) Up(string) {}

func (p *process) Discarded(destination string, n int) {
	p.t.Errorf("%s: %d dead letters are discarded", destination, n)
}

// stop ends the process in order. When ctx ends, it cuts attempts short.
func (p *process) stop(ctx context.Context) {
	p.g.Stop(ctx)
	if err := p.q.Close(); err != nil {
		p.t.Error(err)
	}
}

// canceled returns a context that has ended.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// crash ends the process, and begins another one with what the disk holds now.
func (s *schedule) crash() {
	synctest.Wait() // no goroutine writes
	old := s.p
	s.a.lose()()
	s.a.crash()
	s.a.mu.Lock()
	old.isCrashed = true
	s.a.mu.Unlock()
	left := old.s
	left.File = filepath.Join(s.t.TempDir(), "webhooks", "queue.db")
	copyDir(s.t, filepath.Dir(old.s.File), filepath.Dir(left.File))
	s.t.Cleanup(func() { old.stop(canceled()) })
	s.p = startProcess(s.t, s.a, left, s.logs, s.destinations())
}

// crashWhileStoring crashes before a commit. The provider sends the events again.
func (s *schedule) crashWhileStoring() {
	var samples []sample
	var events []*Event
	for range 1 + s.r.IntN(3) {
		samples = append(samples, s.sample())
		events = append(events, s.event(samples[len(samples)-1]))
		s.a.offer(events[len(events)-1])
	}
	var releases []func()
	for i := range s.logs {
		releases = append(releases, s.p.in(i).hold(s.t))
	}
	g, stored := s.p.g, make(chan struct{})
	go func() {
		defer close(stored)
		_, _ = g.Store(context.Background(), events)
	}()
	time.Sleep(s.upTo(maxHold))
	s.crash()
	for _, release := range releases {
		release()
	}
	<-stored
	for _, e := range events {
		s.a.forget(e) // which was not committed
	}
	events = nil
	for _, of := range samples {
		events = append(events, s.event(of))
	}
	s.store(events)
}

// in returns the use of one log.
func (p *process) in(log int) *gateway {
	return &gateway{s: p.s, q: p.q.logs()[log], g: p.g.uses()[log]}
}

// loseLease takes a destination of one log away, and lets the gateway know some time
// later.
func (s *schedule) loseLease() {
	name := s.p.config[s.r.IntN(len(s.p.config))].Name
	l := s.p.q.logs()[s.r.IntN(s.logs)]
	found := s.a.lose()
	if err := l.do(func(t *tx) error {
		return t.exec(`UPDATE webhooks_destinations SET lease = lease + 1 WHERE name = $1`, name)
	}); err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(s.upTo(300 * time.Millisecond))
	l.mu.Lock()
	w := l.workers[name]
	l.mu.Unlock()
	w.compareLease(math.MaxInt64)
	synctest.Wait()
	found()
}

// endEra begins another era in one log, as after a lease that was not renewed in time.
func (s *schedule) endEra() {
	synctest.Wait() // no commit is under way that would move the end of the log
	l := s.p.q.logs()[s.r.IntN(s.logs)]
	e := l.currentEra()
	found := s.a.lose()
	l.beginEra(e, logState{last: l.head(), bytes: l.writer.bytes.Load(), epoch: e.epoch, timeline: e.timeline})
	l.pokeAll()
	synctest.Wait()
	found()
}

// restart ends the process in order, and begins another one.
func (s *schedule) restart() {
	s.p.stop(context.Background())
	s.p = startProcess(s.t, s.a, s.p.s, s.logs, s.destinations())
}

// restartAtOnce does not wait for attempts.
func (s *schedule) restartAtOnce() {
	s.p.stop(canceled())
	s.p = startProcess(s.t, s.a, s.p.s, s.logs, s.destinations())
}

// reload replaces the configuration, but not how often an event is tried: an attempt that
// is already written begins, whatever the new maximum is.
func (s *schedule) reload() {
	before := s.p.g
	config := s.destinations()
	for i := range config {
		config[i].Attempts = s.p.config[i].Attempts
	}
	s.p.serve(config)
	before.Stop(pick(s.r, context.Background(), canceled()))
}

// pause pauses a destination, or resumes it.
func (s *schedule) pause() {
	name := s.p.config[s.r.IntN(len(s.p.config))].Name
	s.a.mu.Lock()
	isPaused := s.a.paused[name]
	s.a.mu.Unlock()
	if isPaused {
		s.resume(name)
		return
	}
	if err := s.p.q.Pause(context.Background(), name); err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait() // an attempt that had begun reaches the application
	s.a.mu.Lock()
	s.a.paused[name] = true
	s.a.mu.Unlock()
}

func (s *schedule) resume(name string) {
	s.a.mu.Lock()
	s.a.paused[name] = false
	s.a.mu.Unlock()
	if err := s.p.q.Resume(context.Background(), name); err != nil {
		s.t.Fatal(err)
	}
}

// breakDown has an application fail for a while.
func (s *schedule) breakDown() {
	name := s.p.config[s.r.IntN(len(s.p.config))].Name
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	s.a.isDown[name] = time.Now().Add(s.upTo(20 * time.Second))
}

// passWindow lets the windows of some keys end.
func (s *schedule) passWindow() { time.Sleep(s.upTo(2 * time.Minute)) }

// settle lets every delivery come to its end, and checks where all events are.
func (s *schedule) settle() {
	s.a.mu.Lock()
	s.a.isHealed = true
	s.a.mu.Unlock()
	for _, d := range s.p.config {
		s.resume(d.Name)
	}
	eventually := time.Now().Add(time.Hour)
	for backlog := s.backlog(); backlog != ""; backlog = s.backlog() {
		if time.Now().After(eventually) {
			s.t.Fatalf("after an hour: %s", backlog)
		}
		time.Sleep(10 * time.Second)
	}
	for _, d := range s.p.config {
		dead, err := s.p.q.DeadLetters(context.Background(), d.Name, math.MaxInt32)
		if err != nil {
			s.t.Fatal(err)
		}
		s.a.check(d.Name, dead)
	}
}

// backlog says what is not delivered yet.
func (s *schedule) backlog() (text string) {
	all, err := s.p.q.Status(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, d := range all {
		if d.Backlog > 0 {
			text += fmt.Sprintf("%d events for %s; ", d.Backlog, d.Destination)
		}
	}
	return text
}
