package command

import (
	"net/http"
	"net/url"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// listCauses prints the dead letters by destination and cause.
func listCauses(c adminClient, destination *string) error {
	return ask(c, http.MethodGet, withQuery("/webhooks/causes", url.Values{}, destination), nil, func(answer admin.Causes) error {
		return printCauses(c, answer.Causes, time.Now())
	})
}

func printCauses(c adminClient, causes []queue.Cause, now time.Time) error {
	if len(causes) == 0 {
		return c.printf(noDead)
	}
	table := newTable(c.w, c.screen,
		column{name: "DESTINATION", least: 11}, column{name: "DEAD"}, column{name: "OLDEST"}, column{name: "NEWEST"}, column{name: "CAUSE", least: 20})
	for _, cause := range causes {
		table.add(styled{text: cause.Destination}, styled{text: humanize.Comma(cause.DeadLetters)},
			styled{text: age(now.Sub(cause.Oldest))}, styled{text: age(now.Sub(cause.Newest))}, styled{text: cause.Cause})
	}
	return table.flush()
}
