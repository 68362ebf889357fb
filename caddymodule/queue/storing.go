package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// moveTimeout limits how long a request waits for a switch of layouts to end.
const moveTimeout = 5 * time.Second

// Store stores the events of a request and returns after all of them are on disk.
// accepted reports which of them are not duplicates. While the queue is opening, or its
// logs are being rearranged, Store waits for at most 5 s. After an error the events may
// have been stored all the same, or those of some logs; then they are duplicates when
// they come again.
func (g *Generation) Store(ctx context.Context, events []*Event) (accepted []bool, err error) {
	prepare(events)
	l := g.q.layout()
	if l.isPlain() {
		if accepted, err = g.uses()[0].storeRouted(ctx, l.epoch, events); !errors.Is(err, errMoved) {
			return accepted, err
		}
	}
	s := &storing{Generation: g, events: events, accepted: make([]bool, len(events))}
	for i := range events {
		s.left = append(s.left, i)
	}
	switch err = s.storeAll(ctx, l, errors.Is(err, errMoved)); {
	case err == nil:
		return s.accepted, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	default:
		return nil, err
	}
}

// storing is the events of a request on their way to several logs.
type storing struct {
	*Generation
	events   []*Event
	accepted []bool
	left     []int // the indexes of events that are neither stored nor known to be duplicates
}

// storeAll stores all events that are left. It routes them again whenever the layout has
// changed meanwhile, as has l if hasMoved. Events that are stored stay where they are.
func (s *storing) storeAll(ctx context.Context, l *layout, hasMoved bool) error {
	var until <-chan time.Time
	for {
		if hasMoved {
			if until == nil {
				until = time.After(moveTimeout)
			}
			if l = s.q.awaitLayout(ctx, l.epoch, until); l == nil {
				return errMoved
			}
		}
		err := s.storeBy(ctx, l)
		if hasMoved = errors.Is(err, errMoved); !hasMoved {
			return err
		}
	}
}

// awaitLayout returns a layout of a later epoch. It returns nil if ctx or the time until
// ends first.
func (c *common) awaitLayout(ctx context.Context, epoch int64, until <-chan time.Time) *layout {
	for {
		if l := c.layout.Load(); l.epoch > epoch {
			return l
		}
		select {
		case <-time.After(pollInterval / 5):
		case <-until:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// storeBy routes the events that are left by a layout and stores them, those of each log
// in one commit. An error of a log wins over errMoved of another one: then the request
// fails in any case.
func (s *storing) storeBy(ctx context.Context, l *layout) error {
	routed, err := s.route(ctx, l)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	stored := make(map[int]bool)
	err = inLogs(ctx, s.Generation, routed, func(use *logGeneration, indexes []int) error {
		accepted, failed := use.storeRouted(ctx, l.epoch, s.these(indexes))
		if failed != nil {
			return failed
		}
		mu.Lock()
		defer mu.Unlock()
		for n, i := range indexes {
			s.accepted[i], stored[i] = accepted[n], true
		}
		return nil
	})
	s.drop(stored)
	return err
}

// route returns the events that are left by their logs. It drops those that are duplicates
// of events in logs that had their slots before.
func (s *storing) route(ctx context.Context, l *layout) (map[int][]int, error) {
	isStrict := s.q.settings.StrictDedup
	if len(l.past) > 0 {
		if err := s.dropKnown(ctx, l, isStrict); err != nil {
			return nil, err
		}
	}
	events := s.these(s.left)
	routed := l.route(events)
	if isStrict && l.logs > 1 {
		if err := s.takePlaces(ctx, l, events, routed); err != nil {
			return nil, err
		}
	}
	byLog := make(map[int][]int)
	for n, i := range s.left {
		byLog[routed[n]] = append(byLog[routed[n]], i)
	}
	return byLog, nil
}

// these returns events by their indexes.
func (s *storing) these(indexes []int) []*Event {
	return column(indexes, func(i int) *Event { return s.events[i] })
}

// drop removes events from those that are left.
func (s *storing) drop(done map[int]bool) {
	s.left = slices.DeleteFunc(s.left, func(i int) bool { return done[i] })
}

// inLogs calls f for several logs at the same time, each with what is for it.
func inLogs[T any](ctx context.Context, g *Generation, byLog map[int][]T, f func(use *logGeneration, all []T) error) error {
	uses, numbers := g.uses(), slices.Sorted(maps.Keys(byLog))
	errs := make([]error, len(numbers))
	each(numbers, func(i, number int) {
		err := fmt.Errorf("%w: it is not open here", ErrUnavailable)
		if number < len(uses) {
			err = uses[number].waitUntilDeclared(ctx)
		}
		if err == nil {
			err = f(uses[number], byLog[number])
		}
		if err != nil {
			errs[i] = fmt.Errorf("log %d: %w", number, err)
		}
	})
	return firstError(errs)
}

// firstError returns the first error that is not errMoved, else errMoved if it is among
// them.
func firstError(errs []error) (first error) {
	for _, err := range errs {
		if first == nil || errors.Is(first, errMoved) && err != nil {
			first = err
		}
	}
	return first
}
