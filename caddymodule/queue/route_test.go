package queue

import (
	"fmt"
	"slices"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// Partition keys of testSource, by the log that has them if there are four. If there are
// two, those of 0 and 1 are in log 0, and the others in log 1.
const (
	in0, in1, in2, in3 = "d", "f", "b", "a"
)

// TestSlots pins the slots: the program that has stored an event must not be the only
// one that finds it.
func TestSlots(t *testing.T) {
	for _, c := range []struct {
		source, id, partition string
		want                  int
	}{
		{"/webhooks/test", "1", "", 1232},
		{"/webhooks/test", "2", "", 826},
		{"/webhooks/other", "1", "", 3941},
		{"/webhooks/test", "1", "customer", 4063},
		{"/webhooks/test", "2", "customer", 4063},
		{"/webhooks/other", "1", "customer", 1841},
		{"/webhooks/test", "1", "bücher", 2701},
	} {
		e := newEvent(c.id, c.partition)
		e.Source, e.Key = c.source, envelope.NewKey(c.source, c.id)
		if got := slotOf(e); got != c.want {
			t.Errorf("%+v: slot %d", c, got)
		}
	}
	for id, want := range map[string]int{"1": 3833, "2": 863} {
		if got := placeSlot(envelope.NewKey(testSource, id)); got != want {
			t.Errorf("place of %s: slot %d, want %d", id, got, want)
		}
	}
}

// TestSlotsAreSpread shows that all logs have the same number of slots, or one more.
func TestSlotsAreSpread(t *testing.T) {
	for logs := 1; logs <= 8; logs++ {
		l := &layout{logs: logs}
		had := make([]int, logs)
		for slot := range slots {
			had[l.logOf(slot)]++
		}
		if slices.Max(had)-slices.Min(had) > 1 {
			t.Errorf("%d logs: %v", logs, had)
		}
	}
}

// TestEventsAreSpread shows that logs get about the same number of events.
func TestEventsAreSpread(t *testing.T) {
	l := &layout{logs: 4}
	for name, partition := range map[string]func(n int) string{
		"by key":       func(int) string { return "" },
		"by partition": func(n int) string { return fmt.Sprint("customer-", n) },
	} {
		got := make([]int, l.logs)
		for n := range 4000 {
			got[l.logOf(slotOf(newEvent(fmt.Sprint(n), partition(n))))]++
		}
		if slices.Min(got) < 900 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestRoute shows which logs the events of a request go to.
func TestRoute(t *testing.T) {
	for name, c := range map[string]struct {
		logs   int
		events []*Event
		want   []int
	}{
		"one log":                 {1, []*Event{newEvent("1", in0), newEvent("2", in3)}, []int{0, 0}},
		"two logs":                {2, []*Event{newEvent("1", in1), newEvent("2", in2)}, []int{0, 1}},
		"four logs":               {4, []*Event{newEvent("1", in3), newEvent("2", in2), newEvent("3", in1)}, []int{3, 2, 1}},
		"one event":               {4, []*Event{newEvent("1", in2)}, []int{2}},
		"a copy":                  {4, []*Event{newEvent("1", in1), newEvent("2", in2), newEvent("1", in3)}, []int{1, 2, 1}},
		"copies without a window": {4, []*Event{withoutWindow(newEvent("1", in1)), withoutWindow(newEvent("1", in3))}, []int{1, 3}},
	} {
		if got := (&layout{logs: c.logs}).route(c.events); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// withoutWindow returns the event with no window.
func withoutWindow(e *Event) *Event {
	e.Window = 0
	return e
}
