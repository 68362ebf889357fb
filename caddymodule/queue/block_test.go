package queue

import "testing"

func TestBlockOf(t *testing.T) {
	for seq, want := range map[int64]int64{1: 0, 2: 0, 256: 0, 257: 1, 512: 1, 513: 2} {
		if got := blockOf(seq); got != want {
			t.Errorf("event %d: block %d, want %d", seq, got, want)
		}
	}
}
