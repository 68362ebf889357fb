package journal

import "time"

// Minute counts what happened within one minute.
type Minute struct {
	Begin time.Time
	OK    int64 // accepted events, or delivered ones
	Bad   int64 // refused requests, or failed attempts
}

// rates counts what goes well and what goes wrong: for each minute of the last hour, and
// for each second of the last minute. It needs a lock.
type rates struct {
	minutes, seconds [60]count
}

// count counts within one unit of time.
type count struct {
	unit    int64 // since 1970
	ok, bad int64
}

func (c *count) add(unit, ok, bad int64) {
	if c.unit != unit {
		*c = count{unit: unit}
	}
	c.ok += ok
	c.bad += bad
}

// add counts what has happened now.
func (r *rates) add(now time.Time, ok, bad int64) {
	second := now.Unix()
	minute := second / 60
	r.seconds[second%60].add(second, ok, bad)
	r.minutes[minute%60].add(minute, ok, bad)
}

// lastMinute returns the numbers of the last 60 seconds.
func (r *rates) lastMinute(now time.Time) (ok, bad int64) {
	second := now.Unix()
	for _, c := range r.seconds {
		if c.unit > second-60 && c.unit <= second {
			ok += c.ok
			bad += c.bad
		}
	}
	return ok, bad
}

// hour returns the numbers of the last 60 minutes, the oldest first.
func (r *rates) hour(now time.Time) []Minute {
	last := now.Unix() / 60
	all := make([]Minute, 60)
	for i := range all {
		minute := last - 59 + int64(i)
		all[i].Begin = time.Unix(minute*60, 0).UTC()
		if c := r.minutes[minute%60]; c.unit == minute {
			all[i].OK, all[i].Bad = c.ok, c.bad
		}
	}
	return all
}
