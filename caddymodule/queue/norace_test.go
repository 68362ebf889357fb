//go:build !race

package queue

// isRaced reports whether the race detector is on.
const isRaced = false
