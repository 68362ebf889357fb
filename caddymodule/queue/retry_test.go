package queue

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"
)

func TestDelay(t *testing.T) {
	most := time.Duration(math.MaxInt64)
	for _, c := range []struct {
		backoff  Backoff
		failures int
		least    time.Duration // of all that chance may give
		all      time.Duration
	}{
		{Backoff{5 * time.Second, 6 * time.Hour}, 1, 2500 * time.Millisecond, 5 * time.Second},
		{Backoff{5 * time.Second, 6 * time.Hour}, 2, 5 * time.Second, 10 * time.Second},
		{Backoff{5 * time.Second, 6 * time.Hour}, 13, 20480 * time.Second / 2, 20480 * time.Second},
		{Backoff{5 * time.Second, 6 * time.Hour}, 14, 3 * time.Hour, 6 * time.Hour},
		{Backoff{5 * time.Second, 6 * time.Hour}, math.MaxInt32, 3 * time.Hour, 6 * time.Hour},
		{Backoff{time.Minute, time.Minute}, 1, 30 * time.Second, time.Minute},
		{Backoff{time.Minute, time.Minute}, 5, 30 * time.Second, time.Minute},
		{Backoff{time.Hour, time.Minute}, 1, 30 * time.Second, time.Minute},
		{Backoff{1, 1}, 3, 0, 1},
		{Backoff{}, 3, 0, 0},
		{Backoff{time.Second, most}, 1000, most / 2, most},
		{Backoff{most/2 + 2, most}, 2, most / 2, most},
		{Backoff{most, most}, 2, most / 2, most},
	} {
		for _, random := range []float64{0, 0.5, 0.999999} {
			d := c.backoff.delay(c.failures, func() float64 { return random })
			if d < c.least || d > c.all {
				t.Errorf("%v after %d failures with %g: %s is not between %s and %s", c.backoff, c.failures, random, d, c.least, c.all)
			}
		}
	}
}

func TestDelayIsSpread(t *testing.T) {
	b := Backoff{time.Minute, time.Hour}
	for want, random := range map[time.Duration]float64{30 * time.Second: 0, 45 * time.Second: 0.5, 54 * time.Second: 0.8} {
		if d := b.delay(1, func() float64 { return random }); d != want {
			t.Errorf("%g gives %s, want %s", random, d, want)
		}
	}
}

var retryNow = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                                0,
		"0":                               0,
		"120":                             2 * time.Minute,
		" 120 ":                           2 * time.Minute,
		"-1":                              0,
		"-99999999999999999999":           0,
		"1.5":                             0,
		"1e3":                             0,
		"soon":                            0,
		"120, 60":                         0,
		"31536000":                        365 * 24 * time.Hour,
		"9223372036854775807":             math.MaxInt64 / time.Second * time.Second,
		"99999999999999999999999":         math.MaxInt64 / time.Second * time.Second,
		"Fri, 20 Nov 2026 12:01:00 GMT":   time.Minute,
		"Friday, 20-Nov-26 12:01:00 GMT":  time.Minute,
		"Fri Nov 20 12:01:00 2026":        time.Minute,
		"Fri, 20 Nov 2026 11:59:00 GMT":   0,
		"Thu, 01 Jan 1970 00:00:00 GMT":   0,
		"Sat, 20 Nov 2027 12:00:00 GMT":   365 * 24 * time.Hour,
		"Fri, 31 Dec 9999 23:59:59 GMT":   math.MaxInt64,
		"Fri, 32 Nov 2026 12:01:00 GMT":   0,
		"2026-11-20T12:01:00Z":            0,
		"Fri, 20 Nov 2026 12:01:00 +0100": 0,
	} {
		if got := retryAfter(header, retryNow); got != want {
			t.Errorf("Retry-After: %s is %s, want %s", header, got, want)
		}
	}
}

func TestDecide(t *testing.T) {
	broken := errors.New("connection reset by peer")
	backoff := Backoff{10 * time.Second, time.Hour}
	for name, c := range map[string]struct {
		result      Result
		attempt     int
		want        Outcome
		least, most time.Duration
	}{
		"200":                    {Result{Status: 200}, 1, OutcomeDelivered, 0, 0},
		"204":                    {Result{Status: 204}, 1, OutcomeDelivered, 0, 0},
		"299":                    {Result{Status: 299}, 1, OutcomeDelivered, 0, 0},
		"200, last attempt":      {Result{Status: 200}, 12, OutcomeDelivered, 0, 0},
		"200, cut off":           {Result{Status: 200, Err: broken}, 1, OutcomeRetrying, 5 * time.Second, 10 * time.Second},
		"nothing":                {Result{}, 1, OutcomeRetrying, 5 * time.Second, 10 * time.Second},
		"no connection":          {Result{Err: broken}, 1, OutcomeRetrying, 5 * time.Second, 10 * time.Second},
		"103":                    {Result{Status: 103}, 1, OutcomeRetrying, 5 * time.Second, 10 * time.Second},
		"301":                    {Result{Status: 301}, 1, OutcomeDead, 0, 0},
		"304":                    {Result{Status: 304}, 1, OutcomeDead, 0, 0},
		"399":                    {Result{Status: 399}, 1, OutcomeDead, 0, 0},
		"400":                    {Result{Status: 400}, 1, OutcomeRetrying, 5 * time.Second, 10 * time.Second},
		"404":                    {Result{Status: 404}, 2, OutcomeRetrying, 10 * time.Second, 20 * time.Second},
		"410":                    {Result{Status: http.StatusGone}, 1, OutcomeDead, 0, 0},
		"500":                    {Result{Status: 500}, 3, OutcomeRetrying, 20 * time.Second, 40 * time.Second},
		"600":                    {Result{Status: 600}, 1, OutcomeRetrying, 5 * time.Second, 10 * time.Second},
		"500, the maximum":       {Result{Status: 500}, 11, OutcomeRetrying, 30 * time.Minute, time.Hour},
		"500, last attempt":      {Result{Status: 500}, 12, OutcomeDead, 0, 0},
		"500, after the last":    {Result{Status: 500}, 13, OutcomeDead, 0, 0},
		"503, last attempt":      {Result{Status: 503, RetryAfter: "60"}, 12, OutcomeDead, 0, 0},
		"429, seconds":           {Result{Status: 429, RetryAfter: "60"}, 1, OutcomeRetrying, time.Minute, time.Minute},
		"503, seconds":           {Result{Status: 503, RetryAfter: "60"}, 1, OutcomeRetrying, time.Minute, time.Minute},
		"503, a date":            {Result{Status: 503, RetryAfter: "Fri, 20 Nov 2026 12:02:00 GMT"}, 1, OutcomeRetrying, 2 * time.Minute, 2 * time.Minute},
		"503, a year":            {Result{Status: 503, RetryAfter: "31536000"}, 1, OutcomeRetrying, time.Hour, time.Hour},
		"503, a date in a year":  {Result{Status: 503, RetryAfter: "Sat, 20 Nov 2027 12:00:00 GMT"}, 1, OutcomeRetrying, time.Hour, time.Hour},
		"503, more than ever":    {Result{Status: 503, RetryAfter: "99999999999999999999"}, 1, OutcomeRetrying, time.Hour, time.Hour},
		"503, past":              {Result{Status: 503, RetryAfter: "Thu, 19 Nov 2026 12:00:00 GMT"}, 1, OutcomeRetrying, 5 * time.Second, 10 * time.Second},
		"503, junk":              {Result{Status: 503, RetryAfter: "in a minute"}, 1, OutcomeRetrying, 5 * time.Second, 10 * time.Second},
		"503, negative":          {Result{Status: 503, RetryAfter: "-60"}, 1, OutcomeRetrying, 5 * time.Second, 10 * time.Second},
		"503, sooner than usual": {Result{Status: 503, RetryAfter: "1"}, 5, OutcomeRetrying, 80 * time.Second, 160 * time.Second},
		"500 has none":           {Result{Status: 500, RetryAfter: "60"}, 1, OutcomeRetrying, 5 * time.Second, 10 * time.Second},
	} {
		outcome, delay := decide(c.result, c.attempt, 12, backoff, retryNow)
		if outcome != c.want || delay < c.least || delay > c.most {
			t.Errorf("%s: %s after %s, want %s after %s to %s", name, outcome, delay, c.want, c.least, c.most)
		}
	}
}

// TestDefiniteAnswers shows that 410 and redirects say nothing against the
// destination: it is not down for them, and up again with the first.
func TestDefiniteAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: answers(http.StatusGone)}
		d := newDestination("a", r.deliver)
		d.Attempts, d.Concurrency = 1, 1
		g := start(t, s, d)
		for i := range 3 * downAfter {
			if i == 2*downAfter {
				r.respond(answers(http.StatusFound))
			}
			g.keep(t, newEvent(fmt.Sprint(i), ""))
			time.Sleep(soon)
		}
		if lines := g.o.lines("down"); len(lines) > 0 || g.o.count(OutcomeDead) != 3*downAfter {
			t.Errorf("%v, %d dead letters", lines, g.o.count(OutcomeDead))
		}
		r.respond(answers(500))
		for i := range downAfter {
			g.keep(t, newEvent(fmt.Sprint("500-", i), ""))
			time.Sleep(soon)
		}
		if !g.status(t, "a").Down {
			t.Error("it is not down")
		}
		r.respond(answers(http.StatusGone))
		g.keep(t, newEvent("gone", ""))
		time.Sleep(2 * maxProbeInterval)
		if g.status(t, "a").Down || len(g.o.lines("up")) != 1 {
			t.Error("it answers, and is down")
		}
	})
}
