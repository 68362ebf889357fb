package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// outage is when what gateways did could get lost.
type outage struct {
	gateway    string // the life that it ended; "" when the queue of all was down
	begin, end time.Time
	frozen     bool // the gateway did not end, but stood still
}

// isLate reports whether a gateway that had stood still made an attempt before it could
// notice that.
func (o outage) isLate(a arrival) bool {
	return o.frozen && a.gateway == o.gateway && a.begin.After(o.begin) && a.begin.Before(o.end.Add(commitMargin))
}

// excuses reports whether an attempt may be repeated because of the outage: it
// was under way, or that it ended was not written yet.
func (o outage) excuses(before, again arrival) bool {
	if o.isLate(again) || o.isLate(before) {
		return true
	}
	if !before.end.After(o.begin.Add(-commitInterval - commitMargin)) {
		return false
	}
	if o.gateway != "" {
		// The receiver may have read the last ones after their sender was dead.
		return before.gateway == o.gateway && again.gateway != o.gateway
	}
	return before.begin.Before(o.end) && again.begin.After(o.begin)
}

func (o outage) String() string {
	return fmt.Sprintf("%s %s–%s", o.gateway, clock(o.begin), clock(o.end))
}

// lapses returns when the gateway could not renew a lease in time, as happens on a machine
// that is too busy: what it had not written by then is done again, by another gateway or
// by itself.
func (c *child) lapses() (all []outage) {
	c.t.Helper()
	text, err := os.ReadFile(c.logFile)
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var entry struct {
			TS  float64
			Msg string
		}
		if json.Unmarshal([]byte(line), &entry) != nil || !strings.HasPrefix(entry.Msg, "could not renew the gateway's lease in time") &&
			!strings.HasPrefix(entry.Msg, "the queue has another number of logs; attempts") {
			continue
		}
		at := time.UnixMicro(int64(entry.TS * 1e6))
		c.t.Logf("gateway %s at %s: %s", c.name, clock(at), entry.Msg)
		all = append(all, outage{begin: at.Add(-leaseTime), end: at.Add(leaseTime)})
	}
	return all
}

// repeats is what came of checkRepeats.
type repeats struct {
	events, arrivals, failed, repeated, underWay int
	oldest                                       time.Duration // before an outage, of those that were not under way
}

func (r repeats) String() string {
	return fmt.Sprintf("%d events in %d requests: %d not answered 200, %d repeats, of which %d were under way in an outage, the others had ended at most %s before one",
		r.events, r.arrivals, r.failed, r.repeated, r.underWay, r.oldest.Round(time.Millisecond))
}

// findings are errors of a check, of which there may be thousands.
type findings []string

func (f *findings) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

func (f findings) report(t testing.TB, outages []outage) {
	t.Helper()
	if len(f) > 0 {
		t.Errorf("%d errors, outages at %s:\n%s", len(f), outages, strings.Join(f[:min(len(f), 10)], "\n"))
	}
}

// checkRepeats checks that what arrived more than once did because of an outage,
// and is recognizable.
func checkRepeats(t testing.TB, got []arrival, outages []outage) repeats {
	t.Helper()
	var wrong findings
	defer func() { wrong.report(t, outages) }()
	count := repeats{arrivals: len(got)}
	last := make(map[string]arrival)
	for _, a := range got {
		before, again := last[a.event]
		last[a.event] = a
		if a.status != http.StatusOK {
			count.failed++
		}
		if !again {
			continue
		}
		isLate := slices.ContainsFunc(outages, func(o outage) bool { return o.isLate(a) })
		if a.webhookID != before.webhookID || a.attempt < 2 && !isLate {
			wrong.add("%s, with the id %s, came again with the id %s as %s", before, before.webhookID, a.webhookID, a)
		}
		if before.status != http.StatusOK {
			continue
		}
		count.repeated++
		i := slices.IndexFunc(outages, func(o outage) bool { return o.excuses(before, a) })
		if i < 0 {
			wrong.add("%s was repeated for no reason as %s", before, a)
			continue
		}
		if early := outages[i].begin.Sub(before.end); early > 0 {
			count.oldest = max(count.oldest, early)
		} else {
			count.underWay++
		}
	}
	count.events = len(last)
	return count
}

// checkOrder checks that the events of each sender's conversation came one at a
// time and in their order. After an outage it may begin again with one that came
// before, and goes on in order from there.
func checkOrder(t testing.TB, got []arrival, outages []outage) {
	t.Helper()
	var wrong findings
	defer func() { wrong.report(t, outages) }()
	last := make(map[string]arrival)
	for _, a := range got {
		before, known := last[a.key]
		last[a.key] = a
		if !known {
			if a.number(t) != 0 {
				wrong.add("%s came first", a)
			}
			continue
		}
		crossed := slices.ContainsFunc(outages, func(o outage) bool { return o.excuses(before, a) })
		wanted := before.number(t) + 1
		if before.status != http.StatusOK {
			wanted--
		}
		if n := a.number(t); n != wanted && !(crossed && n < wanted) {
			wrong.add("after %s came %s", before, a)
		}
		if a.begin.Before(before.end) && !crossed {
			wrong.add("%s came before %s was answered", a, before)
		}
	}
}

// checkConcurrency checks that no more attempts were under way at a time.
func checkConcurrency(t testing.TB, got []arrival, limit int) {
	t.Helper()
	type change struct {
		at time.Time
		by int
	}
	var changes []change
	for _, a := range got {
		changes = append(changes, change{a.begin, 1}, change{a.end, -1})
	}
	slices.SortFunc(changes, func(a, b change) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return a.by - b.by
	})
	underWay := 0
	for _, c := range changes {
		if underWay += c.by; underWay > limit {
			t.Errorf("at %s %d attempts were under way, want at most %d", clock(c.at), underWay, limit)
			return
		}
	}
}
