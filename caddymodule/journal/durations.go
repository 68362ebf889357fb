package journal

import (
	"math/bits"
	"time"
)

const (
	// periods is the number of periods of ten seconds that durations are kept for.
	periods = 6

	// stepBits is the number of bits of a duration in microseconds that are kept, after
	// the first one: the steps are an eighth of the duration or finer.
	stepBits = 3

	// steps is enough for an hour. What takes longer counts as an hour.
	steps = 240
)

// durations is a histogram of the last minute, with steps that grow with the duration.
// It needs a lock.
type durations struct {
	periods [periods]struct {
		unit   int64 // tens of seconds since 1970
		counts [steps]uint32
	}
}

// add adds a duration that has ended now.
func (d *durations) add(now time.Time, took time.Duration) {
	unit := now.Unix() / 10
	p := &d.periods[unit%periods]
	if p.unit != unit {
		p.unit = unit
		clear(p.counts[:])
	}
	p.counts[stepOf(took)]++
}

// stepOf returns the step of a duration.
func stepOf(took time.Duration) int {
	micros := uint64(max(took.Microseconds(), 0))
	shift := max(bits.Len64(micros)-stepBits-1, 0)
	return min(shift<<stepBits+int(micros>>shift), steps-1)
}

// middle returns the duration in the middle of a step.
func middle(step int) time.Duration {
	const size = 1 << stepBits
	shift := max(step/size-1, 0)
	micros := float64(uint64(step-shift*size)<<shift) + float64(uint64(1)<<shift)/2
	return time.Duration(micros * float64(time.Microsecond))
}

// quantiles returns quantiles of the last minute, in ascending order as they are asked
// for; 0 without durations.
func (d *durations) quantiles(now time.Time, of ...float64) []time.Duration {
	unit := now.Unix() / 10
	var sum [steps]uint64
	var total uint64
	for i := range d.periods {
		if p := &d.periods[i]; p.unit > unit-periods && p.unit <= unit {
			for step, n := range p.counts {
				sum[step] += uint64(n)
				total += uint64(n)
			}
		}
	}
	found := make([]time.Duration, len(of))
	var seen uint64
	next := 0
	for step, n := range sum {
		seen += n
		for n > 0 && next < len(of) && float64(seen) >= of[next]*float64(total) {
			found[next] = middle(step)
			next++
		}
	}
	return found
}
