package command

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// printLogs prints a line for each log of a queue that has several.
func printLogs(c adminClient, logs []queue.LogStatus) error {
	if len(logs) == 0 {
		return nil
	}
	if err := c.printf(""); err != nil {
		return err
	}
	t := newTable(c.w, c.screen,
		column{name: "LOG"},
		column{name: "STATE"},
		column{name: "SIZE"},
		column{name: "BACKLOG"},
		column{name: "DEAD"},
		column{name: "GATEWAYS", least: 8, rank: 1},
	)
	for _, l := range logs {
		number, size := styled{text: fmt.Sprint(l.Log)}, styled{text: humanize.IBytes(uint64(l.Bytes))}
		if !l.Up {
			t.add(number, styled{"no answer", red}, size, styled{text: "-"}, styled{text: "-"}, styled{text: "-"})
			continue
		}
		var backlog, dead int64
		for _, d := range l.Destinations {
			backlog, dead = backlog+d.Backlog, dead+d.DeadLetters
		}
		t.add(number, styled{text: "answers"}, size, styled{text: humanize.Comma(backlog)}, styled{text: humanize.Comma(dead)},
			styled{text: cmp.Or(gatewaysText(l.Destinations), "-")})
	}
	return t.flush()
}

// gatewaysText lists the gateways that deliver, each with its number of destinations.
func gatewaysText(destinations []queue.DestinationStatus) string {
	held := make(map[string]int64)
	for _, d := range destinations {
		if d.Gateway != "" {
			held[d.Gateway]++
		}
	}
	var texts []string
	for _, gateway := range slices.Sorted(maps.Keys(held)) {
		texts = append(texts, fmt.Sprintf("%s (%s)", gateway, count(held[gateway], "destination", "destinations")))
	}
	return strings.Join(texts, ", ")
}
