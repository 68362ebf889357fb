package queue

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// store stores the events of a request, all of them or none, and returns after they
// are on disk. accepted reports which of them are not duplicates. While the queue is
// opening, store waits for at most 5 s. After an error the events may have been stored
// all the same; then they are duplicates when they come again.
func (g *logGeneration) store(ctx context.Context, events []*Event) (accepted []bool, err error) {
	if !g.isDeclared() {
		if err := g.waitUntilDeclared(ctx); err != nil {
			return nil, err
		}
	}
	for _, e := range events {
		e.clean()
		if e.Request != nil {
			e.Request.encoded()
		}
	}
	c := &change{events: events, epoch: g.q.layout.Load().epoch}
	if c.shared() != nil {
		for _, e := range events {
			e.shared = inCommon
		}
	}
	g.q.writer.health.noteSize(c.size())
	switch err := g.q.writer.do(ctx, c); {
	case err == nil:
		g.q.logStored(c)
		return c.accepted, nil
	case errors.Is(err, ErrFull), errors.Is(err, ErrClosed), ctx.Err() != nil:
		return nil, err
	default:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}

// logStored logs at level debug which events were stored, with their numbers, and which
// were duplicates.
func (q *eventLog) logStored(c *change) {
	log := q.log()
	for i, e := range c.events {
		if !c.accepted[i] {
			if line := log.Check(zapcore.DebugLevel, "duplicate event"); line != nil {
				line.Write(zap.Stringer("id", e.Key), zap.String("source", e.Source))
			}
		} else if line := log.Check(zapcore.DebugLevel, "stored event"); line != nil {
			line.Write(zap.Stringer("id", e.Key), zap.Int64("seq", e.Seq), zap.String("source", e.Source))
		}
	}
}
