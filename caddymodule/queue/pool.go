package queue

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// pools holds the pool of each destination that has a worker.
type pools struct {
	mu     sync.Mutex
	byName map[string]*pool
}

// join adds a worker to the pool of its destination.
func (p *pools) join(w *worker) *pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.byName[w.name]
	if one == nil {
		one = &pool{limit: rate.Inf, limiter: rate.NewLimiter(rate.Inf, 1)}
		if p.byName == nil {
			p.byName = make(map[string]*pool)
		}
		p.byName[w.name] = one
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.members = append(one.members, w)
	return one
}

// leave removes a worker that has ended.
func (p *pools) leave(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	w.pool.members = slices.DeleteFunc(w.pool.members, func(other *worker) bool { return other == w })
	if len(w.pool.members) == 0 {
		delete(p.byName, w.name)
	}
}

// pool is what the workers of one destination share at this gateway, one for each log:
// how many attempts they may make at a time, the rate, and the health of the destination.
// An attempt may use what any of the logs brings, so that a destination is not slower if
// its events are all in one log.
type pool struct {
	changes atomic.Int64 // of the health, so that workers need not look at it each time

	mu      sync.Mutex
	members []*worker
	tenures []*contribution // of the leases that this gateway holds
	waiting []*contribution // whose owners want a token for a delivery that is ready; see take
	timed   []*contribution // whose owners could have a token, but time has to pass; see take
	limit   rate.Limit      // attempts that begin per second
	limiter *rate.Limiter   // applies limit
	running int             // attempts that have begun and whose results are not noted yet

	// The health of the destination, which a lost lease does not change.
	streak    int       // failures in a row
	down      bool      // it is probed
	downSince time.Time // when the first failure of the streak began
	downAt    time.Time // when the streak reached downAfter
	probes    int       // since then
	probeAt   time.Time // when the next probe may begin
}

// contribution is what a tenure brings to the pool of its destination: a part of the
// attempts that all gateways together may make at a time, and of the rate. The pool's mu
// guards tokens and everything below; only the owner changes what it
// brings.
type contribution struct {
	owner   *worker
	revoked context.Context // ends when the lease is lost, and with it all attempts that use a token of it

	tokens   int           // attempts at a time
	leader   int           // the log whose tokens this one uses first: its own if it brings any
	limit    rate.Limit    // attempts that begin per second
	used     int           // tokens in use, by attempts of any log
	withheld bool          // the lease is to be given up: no attempt begins with a token of it
	idle     chan struct{} // nil until it is withdrawn, and closed when no token is in use after that
}

// part returns how many of a number of attempts at a time a log brings. The parts of all
// logs add up to the whole.
func part(whole, log, logs int) int {
	ceil := func(i int) int { return (whole*i + logs - 1) / logs }
	return ceil(log+1) - ceil(log)
}

// leader returns the log whose part a log without one uses: the next lower log that has
// a part. A log that has one is its own leader.
func leader(whole, log, logs int) int {
	for part(whole, log, logs) == 0 {
		log--
	}
	return log
}

// contribute adds what a tenure brings.
func (p *pool) contribute(c *contribution) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tenures = append(p.tenures, c)
	p.setLimit(c.owner.q.now())
	p.pokeOthers(c.owner) // they may use it, or follow
}

// adjust changes what a tenure brings, as after a reload.
func (p *pool) adjust(c *contribution, tokens, leader int, limit rate.Limit) {
	if c.tokens == tokens && c.leader == leader && c.limit == limit {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c.tokens, c.leader, c.limit = tokens, leader, limit
	p.setLimit(c.owner.q.now())
	p.pokeOthers(c.owner)
}

// withhold lets no attempt begin with a token of a tenure, or lets them begin again.
func (p *pool) withhold(c *contribution, is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.withheld = is
	p.setLimit(c.owner.q.now())
	p.pokeOthers(c.owner)
}

// withdraw takes back what a tenure brings. Its channel idle is closed when no attempt
// uses it any more.
func (p *pool) withdraw(c *contribution) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.idle != nil {
		return
	}
	c.idle = make(chan struct{})
	if c.used == 0 {
		close(c.idle)
	}
	p.tenures = slices.DeleteFunc(p.tenures, func(other *contribution) bool { return other == c })
	p.setLimit(c.owner.q.now())
	p.leaveQueues(c)
	p.pokeOthers(c.owner)
}

// isIdle reports whether no attempt uses a token of a tenure.
func (p *pool) isIdle(c *contribution) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.used == 0
}

// holds reports whether this gateway holds the destination in a log and is not about to
// give it up.
func (p *pool) holds(log int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.tenures, func(c *contribution) bool { return c.owner.q.number == log && !c.withheld })
}

// setLimit applies the rate that the tenures bring. The burst is what it allows in
// 10 ms, so that timers need not be exact. mu must be held.
func (p *pool) setLimit(now time.Time) {
	var limit rate.Limit
	for _, c := range p.tenures {
		switch {
		case c.withheld:
		case c.limit == rate.Inf || limit == rate.Inf:
			limit = rate.Inf
		default:
			limit += c.limit
		}
	}
	if p.limit == limit {
		return
	}
	burst := 1
	if limit != rate.Inf {
		burst = max(1, int(float64(limit)/100))
	}
	p.limit = limit
	p.limiter.SetLimitAt(now, limit)
	p.limiter.SetBurstAt(now, burst)
}

// pokeOthers wakes all workers but one. mu must be held.
func (p *pool) pokeOthers(w *worker) {
	for _, other := range p.members {
		if other != w {
			other.poke()
		}
	}
}
