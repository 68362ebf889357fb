package journal

import (
	"slices"
	"testing"
	"time"
)

func TestRing(t *testing.T) {
	r := ring[int]{max: 3}
	var held []int64
	for i := range 8 {
		if n := r.add(i); n != int64(i) {
			t.Fatalf("the number of %d is %d", i, n)
		}
		if i == 5 {
			r.drop()
		}
		held = append(held, r.next-r.first)
		for n := r.first; n < r.next; n++ {
			if *r.at(n) != int(n) {
				t.Errorf("after %d: number %d holds %d", i, n, *r.at(n))
			}
		}
	}
	if want := []int64{1, 2, 3, 3, 3, 2, 3, 3}; !slices.Equal(held, want) {
		t.Errorf("it held %v, want %v", held, want)
	}
}

func TestRates(t *testing.T) {
	type happened struct {
		after   time.Duration // noon
		ok, bad int64
	}
	for _, c := range []struct {
		name         string
		happened     []happened
		at           time.Duration
		ok, bad      int64    // in the last minute
		minutes, all [2]int64 // the last two minutes of OK; the sums of the hour
	}{
		{name: "nothing"},
		{name: "within a second", happened: []happened{{0, 1, 0}, {0, 2, 1}}, ok: 3, bad: 1, minutes: [2]int64{0, 3}, all: [2]int64{3, 1}},
		{name: "a minute ago", happened: []happened{{0, 1, 0}, {time.Second, 1, 0}}, at: time.Minute, ok: 1, minutes: [2]int64{2, 0}, all: [2]int64{2, 0}},
		{name: "an hour ago", happened: []happened{{0, 5, 5}, {time.Minute, 1, 0}}, at: time.Hour, all: [2]int64{1, 0}},
		{name: "the same slot again", happened: []happened{{0, 5, 5}, {time.Hour, 1, 0}}, at: time.Hour, ok: 1, minutes: [2]int64{0, 1}, all: [2]int64{1, 0}},
		{name: "a long time ago", happened: []happened{{0, 5, 5}}, at: 1000 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r rates
			for _, h := range c.happened {
				r.add(noon.Add(h.after), h.ok, h.bad)
			}
			now := noon.Add(c.at)
			if ok, bad := r.lastMinute(now); ok != c.ok || bad != c.bad {
				t.Errorf("the last minute had %d and %d, want %d and %d", ok, bad, c.ok, c.bad)
			}
			hour := r.hour(now)
			var ok, bad int64
			for i, m := range hour {
				ok, bad = ok+m.OK, bad+m.Bad
				if want := now.Truncate(time.Minute).Add(time.Duration(i-59) * time.Minute); !m.Begin.Equal(want) {
					t.Errorf("minute %d begins at %s, want %s", i, m.Begin, want)
				}
			}
			if got := [2]int64{hour[58].OK, hour[59].OK}; got != c.minutes {
				t.Errorf("the last two minutes had %d, want %d", got, c.minutes)
			}
			if got := [2]int64{ok, bad}; got != c.all {
				t.Errorf("the hour had %d, want %d", got, c.all)
			}
		})
	}
}

// TestDurations shows that a quantile is at most a sixteenth beside the duration.
func TestDurations(t *testing.T) {
	for _, took := range []time.Duration{
		0, time.Microsecond, 7 * time.Microsecond, 8 * time.Microsecond, 15 * time.Microsecond, 16 * time.Microsecond,
		999 * time.Microsecond, 5 * time.Millisecond, 123 * time.Millisecond, time.Second, 30 * time.Second, time.Hour,
	} {
		var d durations
		d.add(noon, took)
		got := d.quantiles(noon, 0.5, 0.99)
		if off := (got[0] - took).Abs(); off > max(took/16, time.Microsecond) || got[0] != got[1] {
			t.Errorf("%s became %s", took, got)
		}
	}
}

func TestQuantiles(t *testing.T) {
	var d durations
	if got := d.quantiles(noon, 0.5, 0.99); got[0] != 0 || got[1] != 0 {
		t.Errorf("without durations: %s", got)
	}
	for i := range 100 {
		took := 10 * time.Millisecond
		if i >= 98 {
			took = time.Second
		}
		d.add(noon.Add(time.Duration(i)*100*time.Millisecond), took)
	}
	for _, c := range []struct {
		after    time.Duration
		p50, p99 time.Duration
	}{
		{10 * time.Second, 10 * time.Millisecond, time.Second},
		{59 * time.Second, 10 * time.Millisecond, time.Second},
		{2 * time.Minute, 0, 0},
	} {
		got := d.quantiles(noon.Add(c.after), 0.5, 0.99)
		if (got[0]-c.p50).Abs() > c.p50/16 || (got[1]-c.p99).Abs() > c.p99/16 {
			t.Errorf("after %s: %s, want %s and %s", c.after, got, c.p50, c.p99)
		}
	}
	d.add(noon.Add(24*time.Hour), 100*time.Hour)
	if got := d.quantiles(noon.Add(24*time.Hour), 0.5)[0]; got < 50*time.Minute {
		t.Errorf("what took longest is %s", got)
	}
}
