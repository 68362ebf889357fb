package queue

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// storeRouted stores the events of a request that were routed to this log in an epoch, all
// of them or none, and returns after they are on disk. accepted reports which of them are
// not duplicates. It returns errMoved if the log has another layout. While the log is
// opening, storeRouted waits for at most 5 s. After another error the events may have been
// stored all the same; then they are duplicates when they come again.
func (g *logGeneration) storeRouted(ctx context.Context, epoch int64, events []*Event) (accepted []bool, err error) {
	if err := g.waitUntilDeclared(ctx); err != nil {
		return nil, err
	}
	c := &change{events: events, epoch: epoch}
	common := int64(0)
	if c.shared() != nil {
		common = inCommon
	}
	for _, e := range events {
		e.shared = common
	}
	g.q.writer.health.noteSize(c.size())
	if err := g.q.writer.do(ctx, c); err != nil {
		return nil, storeError(ctx, err)
	}
	g.q.logStored(c)
	return c.accepted, nil
}

// storeError returns an error of the writer as Store returns it.
func storeError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrFull) || errors.Is(err, ErrClosed) || errors.Is(err, errMoved) || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// prepare makes events ready to be routed and stored.
func prepare(events []*Event) {
	for _, e := range events {
		e.clean()
		if e.Request != nil {
			e.Request.encoded()
		}
	}
}

// logStored logs at level debug which events were stored, with their numbers, and which
// were duplicates.
func (q *eventLog) logStored(c *change) {
	log := q.log()
	for i, e := range c.events {
		if !c.accepted[i] {
			q.logDuplicate(e)
		} else if line := log.Check(zapcore.DebugLevel, "stored event"); line != nil {
			line.Write(zap.Stringer("id", e.Key), zap.Int64("seq", e.Seq), zap.String("source", e.Source))
		}
	}
}
