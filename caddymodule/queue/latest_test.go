package queue

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestLatestResults shows what the status of a destination remembers of its attempts,
// across restarts.
func TestLatestResults(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		d := newDestination("a", r.deliver)
		d.Backoff = Backoff{time.Hour, time.Hour}
		g := start(t, s, d, newDestination("b", new(receiver).deliver))
		waitDeclared(t, g.g)
		if st := g.status(t, "a"); !st.LastDelivered.IsZero() || !st.LastFailed.IsZero() || !st.FailedSince.IsZero() || st.LastStatus != 0 || st.LastError != "" {
			t.Errorf("%+v", st)
		}
		n := 0
		// attempt makes an attempt, and waits until its result is known.
		attempt := func(result Result) (before time.Time, st DestinationStatus) {
			t.Helper()
			n++
			r.respond(func(context.Context, *Delivery) Result { return result })
			before = time.Now().Truncate(time.Microsecond)
			time.Sleep(2 * time.Millisecond)
			g.keep(t, newEvent(string(rune('a'+n)), ""))
			eventually(t, "the result", func() bool {
				st = g.status(t, "a")
				return later(st.LastDelivered, st.LastFailed).After(before)
			})
			return before, st
		}
		want := func(st DestinationStatus, delivered, failed, since time.Time, status int, text string) {
			t.Helper()
			for what, times := range map[string][2]time.Time{
				"delivered": {st.LastDelivered, delivered}, "failed": {st.LastFailed, failed}, "failed since": {st.FailedSince, since},
			} {
				got, after := times[0], times[1]
				if got.IsZero() != after.IsZero() || got.Before(after) || got.After(time.Now()) {
					t.Errorf("%s %s, want it after %s", what, got, after)
				}
			}
			if st.LastStatus != status || st.LastError != text {
				t.Errorf("%d %q, want %d %q", st.LastStatus, st.LastError, status, text)
			}
		}
		never := time.Time{}
		delivered, st := attempt(Result{Status: 200})
		want(st, delivered, never, never, 0, "")
		since, st := attempt(Result{Status: 500})
		want(st, delivered, since, since, 500, "answered 500")
		first := st.FailedSince
		failed, st := attempt(Result{Err: errors.New("connection refused")})
		want(st, delivered, failed, since, 0, "connection refused")

		// The failures in a row go on after a restart.
		g.stop(t)
		g = start(t, s, d, newDestination("b", new(receiver).deliver))
		want(g.status(t, "a"), delivered, failed, since, 0, "connection refused")
		failed, st = attempt(Result{Status: 503})
		want(st, delivered, failed, since, 503, "answered 503")
		if moved := st.FailedSince.Sub(first); moved.Abs() > time.Second { // clocks are compared anew
			t.Errorf("the failures began %s later", moved)
		}

		// A success ends them, and so does an event that is refused for good.
		delivered, st = attempt(Result{Status: 200})
		want(st, delivered, failed, never, 503, "answered 503")
		failed, st = attempt(Result{Status: 410})
		want(st, delivered, failed, never, 410, "answered 410")
		failed, st = attempt(Result{Status: 500})
		want(st, delivered, failed, failed, 500, "answered 500")
		failed, st = attempt(Result{Status: 308})
		want(st, delivered, failed, never, 308, "answered 308")
		if st := g.status(t, "b"); st.LastDelivered.IsZero() || !st.LastFailed.IsZero() {
			t.Errorf("%+v", st)
		}
	})
}

// TestCutShortIsNoFailure shows that an attempt that a reload cuts short does not count
// as a result.
func TestCutShortIsNoFailure(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		d := newDestination("a", func(ctx context.Context, _ *Delivery) Result {
			<-ctx.Done()
			return Result{Err: ctx.Err()}
		})
		d.Timeout, d.Attempts = time.Hour, 2
		g := start(t, s, d)
		g.keep(t, newEvents(1)...)
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		for range 2 {
			time.Sleep(soon)
			before := g.g
			g.serve(d)
			before.stop(stopped)
		}
		time.Sleep(soon)
		g.wantPast(t, "a", 1, "1 handed_back 0, context canceled", "2 dead_letter 0, the gateway stopped during the last attempt")
		if st := g.status(t, "a"); st.DeadLetters != 1 || !st.LastFailed.IsZero() || !st.FailedSince.IsZero() || st.LastError != "" {
			t.Errorf("%+v", st)
		}
	})
}
