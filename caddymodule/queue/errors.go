package queue

import (
	"errors"
	"fmt"
)

// Errors of a queue.
var (
	// ErrFull means that undelivered events leave no room for new ones.
	ErrFull = errors.New("the queue is full")

	// ErrClosed means that Close was called.
	ErrClosed = errors.New("the queue is closed")

	// ErrUnavailable means that the database cannot be read or written at the moment.
	ErrUnavailable = errors.New("the queue is unavailable")

	// ErrUnknown means that the queue has no such destination, event or dead letter.
	ErrUnknown = errors.New("unknown")

	// ErrConfigured means that a destination cannot be forgotten, because the
	// configuration has it.
	ErrConfigured = errors.New("the destination is still configured")
)

// errNotOpen means that the database has not answered since the queue was opened.
var errNotOpen = fmt.Errorf("%w: not open yet", ErrUnavailable)
