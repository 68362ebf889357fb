package console

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

const (
	// overviewRefresh is after how many seconds the overview looks again.
	overviewRefresh = 5

	// failureAge is how long the last failure of a destination that delivers is shown.
	failureAge = time.Hour

	// lastRefusals is how many refusals the overview shows.
	lastRefusals = 5
)

// overview is what the overview shows. Each part has its own failure: the rest is of
// use while the queue does not answer.
type overview struct {
	Headline     []sentence
	Since        time.Time // since then rates and plots count; zero if that is more than an hour
	HasQueue     bool
	Queue        string // how full the queue is
	Destinations []shownDestination
	NoQueue      *failure // why nothing is known of destinations
	Blocks       []shownBlock
	NoBlocks     *failure
	Refusals     []journal.Refusal
	NoRefusals   *failure
}

type shownDestination struct {
	journal.Destination
	State  state
	Oldest string // the age of the oldest undelivered event
	Failed bool   // lately, so that the last failure is of interest
	Plot   template.HTML
}

type shownBlock struct {
	journal.Block
	Silent     time.Time // since then
	RefusesAll bool
	Reason     reason // of the last refusal
	Plot       template.HTML
}

// overview answers whether anything is wrong.
func (v *visit) overview(ctx context.Context) (page, error) {
	f := facts{now: v.now()}
	var o overview
	c, err := v.journal.control()
	o.HasQueue = !errors.Is(err, journal.ErrNoQueue)
	f.hasQueue = o.HasQueue
	if err != nil && o.HasQueue {
		return page{}, err
	}
	var causes []queue.Cause
	var errQueue, errBlocks, errRefusals error
	var blocks journal.Blocks
	var refusals journal.Refusals
	var wg sync.WaitGroup
	if o.HasQueue {
		f.bytes, f.limit = c.Size()
		f.downLogs = c.DownLogs()
		o.Queue = fmt.Sprintf("The queue holds %s of %s.", humanize.IBytes(uint64(f.bytes)), humanize.IBytes(uint64(f.limit)))
		wg.Go(func() { f.destinations, errQueue = v.journal.Destinations(ctx) })
		wg.Go(func() { f.ready = c.Ready(ctx) })
		wg.Go(func() { causes, _ = c.Causes(ctx, "") }) // without them, one sentence has no time
	}
	wg.Go(func() { blocks, errBlocks = v.journal.Blocks(ctx) })
	wg.Go(func() {
		refusals, errRefusals = v.journal.Refusals(journal.RefusalFilter{}, journal.Page{Limit: lastRefusals})
	})
	wg.Wait()

	f.isRead, f.blocks = errQueue == nil, blocks.Blocks
	for _, cause := range causes {
		if f.oldestDead.IsZero() || cause.Oldest.Before(f.oldestDead) {
			f.oldestDead = cause.Oldest
		}
		if cause.Newest.After(f.newestDead) {
			f.newestDead = cause.Newest
		}
	}
	o.Headline = judge(f)
	if since := v.journal.Since(); f.now.Sub(since) < time.Hour {
		o.Since = since
	}
	for _, d := range f.destinations {
		o.Destinations = append(o.Destinations, showDestination(d, f.now, o.Since))
	}
	for _, b := range blocks.Blocks {
		o.Blocks = append(o.Blocks, showBlock(b, f.now, o.Since))
	}
	o.Refusals = refusals.Refusals
	for to, err := range map[**failure]error{&o.NoQueue: errQueue, &o.NoBlocks: errBlocks, &o.NoRefusals: errRefusals} {
		if err != nil {
			*to = v.failureOf(ctx, err)
		}
	}
	return page{name: "overview", Title: o.Headline[0].String(), Refresh: overviewRefresh, Data: o}, nil
}

func showDestination(d journal.Destination, now, since time.Time) shownDestination {
	shown := shownDestination{Destination: d, State: destinationState(d, now), Plot: plot(d.Hour, since, "delivered", "failed attempts")}
	shown.Failed = d.LastError != "" && (shown.State.level != levelGood || now.Sub(d.LastFailed) < failureAge)
	if !d.OldestUndelivered.IsZero() {
		shown.Oldest = span(now.Sub(d.OldestUndelivered))
	}
	return shown
}

func showBlock(b journal.Block, now, since time.Time) shownBlock {
	shown := shownBlock{Block: b, RefusesAll: refusesAll(b), Reason: reasons[b.LastRefusedReason], Plot: plot(b.Hour, since, "accepted", "refused")}
	if since, ok := silentSince(b, now); ok {
		shown.Silent = since
	}
	return shown
}
