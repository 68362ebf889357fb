package queue

import (
	"math"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// take gives a worker a token for an attempt: the contribution that brings it, or nil if
// there is none. The worker then waits, and is poked when it is its turn:
//
//   - The tokens that a log brings, or that its leader brings, are for those that wait for
//     them, in turn. Other logs may use them while nothing waits for them.
//   - While the rate or the health of the destination allows fewer attempts than there
//     are tokens, those that could have one begin in turn.
//
// So no log has to wait for the whole backlog of another. most is the number of attempts
// at a time that the worker's configuration allows: after a reload, the other workers may
// still bring more, and use more.
func (p *pool) take(w *worker, most int, now time.Time) *contribution {
	p.mu.Lock()
	defer p.mu.Unlock()
	var c *contribution
	if p.used() < most {
		c = p.tokenFor(w.contribution)
	}
	switch {
	case c == nil:
		p.timed = without(p.timed, w.contribution)
		p.waiting = with(p.waiting, w.contribution)
		w.isWaiting = true
		return nil
	case p.allowed(now) <= turn(p.timed, w.contribution) || p.limit != rate.Inf && !p.limiter.AllowN(now, 1):
		p.waiting = without(p.waiting, w.contribution)
		p.timed = with(p.timed, w.contribution)
		w.isWaiting = true
		return nil
	}
	c.used++
	p.running++
	if w.isWaiting {
		p.leaveQueues(w.contribution)
	}
	if len(p.timed) > 0 {
		p.timed[0].owner.poke() // how long it waits has changed
	}
	return c
}

// turn returns how many go before one.
func turn(queue []*contribution, c *contribution) int {
	if i := slices.Index(queue, c); i >= 0 {
		return i
	}
	return len(queue)
}

func with(queue []*contribution, c *contribution) []*contribution {
	if slices.Contains(queue, c) {
		return queue
	}
	return append(queue, c)
}

func without(queue []*contribution, c *contribution) []*contribution {
	return slices.DeleteFunc(queue, func(other *contribution) bool { return other == c })
}

// leaveQueues ends the wait of a worker. mu must be held.
func (p *pool) leaveQueues(c *contribution) {
	p.waiting, p.timed = without(p.waiting, c), without(p.timed, c)
}

// tokenFor returns the contribution whose token a worker may use, or nil. mu must be held.
func (p *pool) tokenFor(own *contribution) *contribution {
	home := p.home(own)
	if home != nil && home.unused() > p.ahead(own, home) {
		return home
	}
	for _, c := range p.tenures {
		if c != home && c.unused() > 0 && !p.isAwaited(c) {
			return c
		}
	}
	return nil
}

// home returns the contribution whose tokens a worker uses first, nil if there is none.
// mu must be held.
func (p *pool) home(own *contribution) *contribution {
	for _, c := range p.tenures {
		if c.owner.q.number == own.leader {
			return c
		}
	}
	return nil
}

// unused returns the number of tokens that an attempt may use.
func (c *contribution) unused() int {
	if c.withheld {
		return 0
	}
	return max(0, c.tokens-c.used)
}

// used returns the number of tokens that are in use. mu must be held.
func (p *pool) used() (n int) {
	for _, c := range p.tenures {
		n += c.used
	}
	return n
}

// ahead returns how many wait for the same tokens as a worker, and go before it. mu must
// be held.
func (p *pool) ahead(own, home *contribution) (n int) {
	for _, c := range p.waiting {
		if c == own {
			break
		}
		if c.leader == home.leader {
			n++
		}
	}
	return n
}

// isAwaited reports whether a worker waits for the tokens of a contribution. mu must be
// held.
func (p *pool) isAwaited(c *contribution) bool {
	return slices.ContainsFunc(p.waiting, func(other *contribution) bool { return other.leader == c.leader })
}

// allowed returns how many attempts the rate and the health of the destination allow now.
// mu must be held.
func (p *pool) allowed(now time.Time) int {
	n := math.MaxInt
	if p.limit != rate.Inf {
		n = int(p.limiter.TokensAt(now))
	}
	switch {
	case !p.down:
		return n
	case p.running > 0 || now.Before(p.probeAt):
		return 0
	}
	return min(n, 1)
}

// give takes back the token of an attempt that has ended.
func (p *pool) give(c *contribution) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.used--
	if c.used == 0 && c.idle != nil {
		close(c.idle)
	}
	if len(p.members) == 1 { // which gets the result
		return
	}
	if c.used == 0 && c.withheld {
		c.owner.poke()
	}
	if next := p.next(c); next != nil {
		next.owner.poke()
	}
}

// next returns whose turn it is to use a token of a contribution, nil if none waits. mu
// must be held.
func (p *pool) next(c *contribution) *contribution {
	for _, waiting := range p.waiting {
		if waiting.leader == c.leader {
			return waiting
		}
	}
	if len(p.waiting) > 0 {
		return p.waiting[0]
	}
	return nil
}

// offer returns for how many attempts a worker may prepare deliveries now: as many as may
// begin, and some more. It may always prepare one if other logs compete for the tokens:
// only what could begin has a turn.
func (p *pool) offer(more int, now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.tenures {
		n += c.unused()
	}
	n = min(n, p.allowed(now))
	switch {
	case p.down:
	case len(p.members) > 1:
		n = max(1, n+more)
	default:
		n += more
	}
	return n
}

// delay returns how long it takes until an attempt may begin, if only time decides that,
// else 0.
func (p *pool) delay(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.down && p.running == 0:
		return p.probeAt.Sub(now)
	case p.down, p.limit == rate.Inf, p.limit == 0, !slices.ContainsFunc(p.tenures, func(c *contribution) bool { return c.unused() > 0 }):
		return 0
	}
	missing := 1 - p.limiter.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing/float64(p.limit)*float64(time.Second)) + time.Microsecond
}

// pass lets the other workers go first: this one has nothing more that could begin.
func (p *pool) pass(w *worker) {
	if !w.isWaiting {
		return
	}
	w.isWaiting = false
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaveQueues(w.contribution)
	p.pokeOthers(w)
}
