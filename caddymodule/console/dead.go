package console

import (
	"context"
	"errors"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

const (
	// deadRead is how many dead letters are read to find those of a cause.
	deadRead = 1000

	// deadOnPage is how many dead letters are listed.
	deadOnPage = 100
)

// deadPage is what the page of dead letters shows.
type deadPage struct {
	Destination, Cause string // the group that is open; empty for all
	Groups             []deadGroup
	Total              int64
	Letters            []queue.DeadLetter
	Of                 int64  // how many there are of those that are listed
	Back               string // the address of this page
	NoQueue            bool
}

type deadGroup struct {
	queue.Cause
	Link   string
	IsOpen bool
}

// dead shows dead letters by what they died of.
func (v *visit) dead(ctx context.Context) (page, error) {
	c, err := v.journal.control()
	if errors.Is(err, journal.ErrNoQueue) {
		return page{name: "dead", Title: "Dead letters", Data: deadPage{NoQueue: true}}, nil
	}
	if err != nil {
		return page{}, err
	}
	query := v.r.URL.Query()
	d := deadPage{Destination: query.Get("destination"), Cause: query.Get("cause")}
	d.Back = "dead" + encoded(deadQuery(d.Destination, d.Cause))
	causes, err := c.Causes(ctx, "")
	if err != nil {
		return page{}, err
	}
	for _, cause := range causes {
		isOpen := d.Destination == cause.Destination && (d.Cause == "" || d.Cause == cause.Cause)
		d.Groups = append(d.Groups, deadGroup{cause, "dead" + encoded(deadQuery(cause.Destination, cause.Cause)), isOpen})
		d.Total += cause.DeadLetters
		if isOpen || d.Destination == "" {
			d.Of += cause.DeadLetters
		}
	}
	letters, err := c.DeadLetters(ctx, d.Destination, deadRead)
	if err != nil {
		return page{}, err
	}
	for _, letter := range letters {
		if len(d.Letters) < deadOnPage && (d.Cause == "" || d.Cause == letter.LastError) {
			d.Letters = append(d.Letters, letter)
		}
	}
	return page{name: "dead", Title: "Dead letters", Data: d}, nil
}

func deadQuery(destination, cause string) map[string][]string {
	query := make(map[string][]string)
	if destination != "" {
		query["destination"] = []string{destination}
	}
	if cause != "" {
		query["cause"] = []string{cause}
	}
	return query
}
