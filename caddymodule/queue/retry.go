package queue

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Backoff is the time between two attempts: First, doubled for each further failure up
// to Max, and of that a random part between half and all.
type Backoff struct {
	First time.Duration // after the first failure
	Max   time.Duration // the longest one
}

// delay returns how long to wait after a number of failures.
func (b Backoff) delay(failures int, random func() float64) time.Duration {
	d := min(b.First, b.Max)
	for range failures - 1 {
		if d > b.Max/2 { // doubling might overflow
			d = b.Max
			break
		}
		d *= 2
	}
	return d/2 + time.Duration(float64(d/2)*random())
}

// isDefinite reports whether the destination refuses the event for good, which does
// not count as a failure of the destination.
func (r Result) isDefinite() bool {
	return r.Status == http.StatusGone || 300 <= r.Status && r.Status <= 399
}

// isSuccess reports whether the destination has acknowledged the event.
func (r Result) isSuccess() bool { return r.Err == nil && 200 <= r.Status && r.Status <= 299 }

// Outcome returns what follows from the result of an attempt that was not cut short.
// attempt is its number, from 1.
func (r Result) Outcome(attempt, attempts int) Outcome {
	switch {
	case r.isSuccess():
		return OutcomeDelivered
	case r.isDefinite(), attempt >= attempts:
		return OutcomeDead
	}
	return OutcomeRetrying
}

// decide returns the outcome of an attempt, and for OutcomeRetrying, how long to wait.
func decide(r Result, attempt, attempts int, backoff Backoff, now time.Time) (Outcome, time.Duration) {
	if outcome := r.Outcome(attempt, attempts); outcome != OutcomeRetrying {
		return outcome, 0
	}
	delay := backoff.delay(attempt, rand.Float64)
	if r.Status == http.StatusTooManyRequests || r.Status == http.StatusServiceUnavailable {
		// Not before the time that the destination asks for, up to the configured maximum.
		delay = max(delay, min(retryAfter(r.RetryAfter, now), backoff.Max))
	}
	return OutcomeRetrying, delay
}

// retryAfter parses a Retry-After header: seconds, or a date (RFC 9110, section
// 10.2.3). It returns 0 for anything else.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	// A number out of range is clamped by ParseInt.
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		const most = int64(1<<63-1) / int64(time.Second)
		return time.Duration(max(0, min(seconds, most))) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}
