package queue

import (
	"math"
	"slices"
)

// layoutRow is a row of webhooks_layouts.
type layoutRow struct {
	epoch                   int64
	logs, existing, servers int
	last                    *int64 // nil while the log has not switched
	until                   *int64 // nil until it is known
	complete                *int64 // nil until all logs are known to have switched
	ended                   *int64 // the latest until of all logs; nil until all are known
}

// notKnown is the end of a log, or of its windows, that cannot be read or has not been
// computed yet.
const notKnown = math.MaxInt64

// row returns the row of a layout in a log, nil if it has none.
func (f *found) row(epoch int64) *layoutRow {
	if f == nil {
		return nil
	}
	for i := range f.rows {
		if f.rows[i].epoch == epoch {
			return &f.rows[i]
		}
	}
	return nil
}

// current returns the last layout that is complete: all logs have it, and all of their
// destinations.
func (s *survey) current() layoutRow {
	now := layoutRow{logs: 1, existing: 1}
	for _, f := range s.logs {
		if f == nil {
			continue
		}
		for _, r := range f.rows {
			if r.epoch > now.epoch && r.complete != nil {
				now = r
			}
		}
	}
	return now
}

// before returns the layouts before one, but for the first.
func (s *survey) before(epoch int64) (rows []layoutRow) {
	for e := int64(1); e < epoch; e++ {
		for _, f := range s.logs {
			if r := f.row(e); r != nil {
				rows = append(rows, *r)
				break
			}
		}
	}
	return rows
}

// pending returns the layout of a switch that has begun and not ended, nil if there is
// none.
func (s *survey) pending() *layoutRow { return s.logs[0].row(s.current().epoch + 1) }

// isBehind reports whether a log lacks a layout that is complete, as it does if a failover
// has lost the switch.
func (s *survey) isBehind(now layoutRow) bool {
	for _, f := range s.logs[:now.existing] {
		if r := f.row(now.epoch); f != nil && now.epoch > 0 && (f.epoch < now.epoch || r == nil || r.complete == nil) {
			return true
		}
	}
	return false
}

// firstMissing returns the number of a log that no server has that answered, -1 if there
// is none. A new queue has no log yet.
func (s *survey) firstMissing(now layoutRow) int {
	for number := 0; number < now.existing && now.epoch > 0; number++ {
		if s.logs[number] == nil {
			return number
		}
	}
	return -1
}

// isSettled reports whether all logs have the layout, and the ends of all windows before it
// are known.
func (s *survey) isSettled(now layoutRow) bool {
	if s.isBehind(now) || s.pending() != nil {
		return false
	}
	for _, f := range s.logs {
		if f != nil && f.lacksUntil() {
			return false
		}
	}
	return true
}

// lacksUntil reports whether a log does not know yet when the windows end that it, or
// another one, had at a switch.
func (f *found) lacksUntil() bool {
	return slices.ContainsFunc(f.rows, func(r layoutRow) bool { return r.last != nil && (r.until == nil || r.ended == nil) })
}

// ended returns when the windows end that any log had when a layout began, for a log that
// does not answer.
func (s *survey) ended(epoch int64) int64 {
	for _, f := range s.logs {
		if r := f.row(epoch); r != nil && r.ended != nil {
			return *r.ended
		}
	}
	return notKnown
}

// needed returns the number of logs that must stay open if the first n have slots: the
// others may have events, or keys whose windows have not ended. So may one that was not
// found.
func (s *survey) needed(n int) int {
	needed, existing := n, s.current().existing
	for number, f := range s.logs {
		if number >= n && (f != nil && f.hasQueue && !f.empty || f == nil && number < existing) {
			needed = number + 1
		}
	}
	return needed
}

// layout returns a layout with all those before it.
func (s *survey) layout(now layoutRow) *layout {
	l := &layout{epoch: now.epoch, logs: now.logs, total: now.existing}
	for epoch := range now.epoch {
		l.past = append(l.past, s.past(epoch, now.existing))
	}
	return l
}

// past returns a layout that another one has replaced. Of the logs, a number exist: any
// other was empty when it was left out.
func (s *survey) past(epoch int64, existing int) pastLayout {
	p := pastLayout{epoch: epoch, logs: 1}
	for _, f := range s.logs {
		if r := f.row(epoch); r != nil {
			p.logs = r.logs
		}
	}
	for number, f := range s.logs[:existing] {
		var last, until int64
		if r := f.row(epoch + 1); r != nil && r.last != nil {
			last, until = *r.last, notKnown
			switch {
			case r.until != nil:
				until = *r.until
			case f.empty: // there is nothing to look for, and it may not be open
				until = 0
			}
		} else if number < p.logs {
			last, until = notKnown, notKnown
			if f == nil {
				until = s.ended(epoch + 1)
			}
		}
		p.last, p.until = append(p.last, last), append(p.until, until)
	}
	return p
}
