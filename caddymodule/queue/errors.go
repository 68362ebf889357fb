package queue

import (
	"errors"
	"fmt"
)

// Errors of a queue.
var (
	// ErrFull says that what is not delivered yet leaves no room.
	ErrFull = errors.New("the queue is full")

	// ErrClosed says that the queue was closed.
	ErrClosed = errors.New("the queue is closed")

	// ErrUnavailable says that the database does not do what it should.
	ErrUnavailable = errors.New("the queue is unavailable")

	// ErrUnknown says that there is no such name or event.
	ErrUnknown = errors.New("unknown")

	// ErrConfigured says that a name is in use and cannot be forgotten.
	ErrConfigured = errors.New("it is part of the configuration")
)

// errNotOpen says that the database has not answered since the queue was opened.
var errNotOpen = fmt.Errorf("%w: it is not open yet", ErrUnavailable)
