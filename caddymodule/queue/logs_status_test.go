package queue

import (
	"testing"
	"time"
)

// TestMergedStatus shows what two logs say of the health of a destination.
func TestMergedStatus(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 1, 2, 10, minute, 0, 0, time.UTC) }
	a := DestinationStatus{LastDelivered: at(1), LastFailed: at(9), FailedSince: at(2), LastStatus: 500, LastError: "a", Gateway: "x"}
	for name, c := range map[string]struct {
		b     DestinationStatus
		since time.Time
		text  string
		held  string
	}{
		"nothing":         {DestinationStatus{}, at(2), "a", "x"},
		"the same":        {DestinationStatus{Gateway: "x"}, at(2), "a", "x"},
		"delivered since": {DestinationStatus{LastDelivered: at(10), Gateway: "y"}, time.Time{}, "a", "x, y"},
		"between":         {DestinationStatus{LastDelivered: at(5), Gateway: "b"}, at(5), "a", "b, x"},
		"fails longer":    {DestinationStatus{FailedSince: at(1), LastFailed: at(3), LastError: "b"}, at(1), "a", "x"},
		"failed later":    {DestinationStatus{LastDelivered: at(9), FailedSince: at(10), LastFailed: at(11), LastError: "b"}, at(9), "b", "x"},
	} {
		got := merged(a, c.b)
		if !got.FailedSince.Equal(c.since) || got.LastError != c.text || got.Gateway != c.held {
			t.Errorf("%s: since %s %s at %s", name, got.FailedSince, got.LastError, got.Gateway)
		}
	}
}
