package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
	if err := s.storeAll(ctx, l, errors.Is(err, errMoved)); err != nil {
		return nil, err
	}
	return s.accepted, nil
}

// storing is the events of a request on their way to several logs.
type storing struct {
	*Generation
	events   []*Event
	accepted []bool
	left     []int // of events, those that are neither stored nor known to be duplicates
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
				return cmp.Or(context.Cause(ctx), errMoved)
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
// in one commit, in all logs at the same time. An error of a log wins over errMoved of
// another one: then the request fails in any case.
func (s *storing) storeBy(ctx context.Context, l *layout) error {
	routed, err := s.route(ctx, l)
	if err != nil {
		return err
	}
	errs := make([]error, len(routed))
	each(routed, func(i int, p portion) { errs[i] = s.storePart(ctx, l.epoch, p) })
	s.left = nil
	for i, p := range routed {
		if errs[i] != nil {
			s.left = append(s.left, p.events...)
		}
	}
	slices.Sort(s.left)
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

// portion is what one log gets of a request.
type portion struct {
	log    int
	events []int // by their places in the request
}

// route returns the portions of the events that are left, sorted by log.
func (s *storing) route(_ context.Context, l *layout) ([]portion, error) {
	events := s.these(s.left)
	return portions(s.left, l.route(events)), nil
}

// these returns events by their places in the request.
func (s *storing) these(places []int) []*Event {
	return column(places, func(i int) *Event { return s.events[i] })
}

// portions groups the events at some places by their logs.
func portions(places, logs []int) []portion {
	byLog := make(map[int][]int)
	for i, place := range places {
		byLog[logs[i]] = append(byLog[logs[i]], place)
	}
	all := make([]portion, 0, len(byLog))
	for log, events := range byLog {
		all = append(all, portion{log, events})
	}
	slices.SortFunc(all, func(a, b portion) int { return a.log - b.log })
	return all
}

// storePart stores the events of one log.
func (s *storing) storePart(ctx context.Context, epoch int64, p portion) error {
	uses := s.uses()
	if p.log >= len(uses) {
		return fmt.Errorf("%w: log %d is not open here", ErrUnavailable, p.log)
	}
	accepted, err := uses[p.log].storeRouted(ctx, epoch, s.these(p.events))
	if err != nil {
		return fmt.Errorf("log %d: %w", p.log, err)
	}
	for i, place := range p.events {
		s.accepted[place] = accepted[i]
	}
	return nil
}
