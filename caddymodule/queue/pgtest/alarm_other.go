//go:build !linux

package pgtest

import "time"

// alarm sleeps for short times, as exactly as the timers of Go do.
type alarm struct{}

func newAlarm() *alarm { return new(alarm) }

func (*alarm) sleep(d time.Duration) { time.Sleep(d) }

func (*alarm) close() {}
