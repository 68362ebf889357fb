package admin

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/ingress"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

func listRefusals(r *http.Request, j *journal.Journal) (any, error) {
	query, err := readQuery(r, "provider", "reason", "limit", "cursor")
	if err != nil {
		return nil, err
	}
	page, err := readPage(query)
	if err != nil {
		return nil, err
	}
	if err = checkReason(query.Get("reason")); err != nil {
		return nil, err
	}
	found, err := j.Refusals(journal.RefusalFilter{Provider: query.Get("provider"), Reason: query.Get("reason")}, page)
	if err != nil {
		return nil, err
	}
	found.Refusals = orEmpty(found.Refusals)
	for i := range found.Refusals {
		found.Refusals[i].Headers = orEmpty(found.Refusals[i].Headers)
	}
	return found, nil
}

// checkReason refuses a reason that no refusal has. An empty one means all of them.
func checkReason(reason string) error {
	if reason == "" || slices.Contains(ingress.Reasons, ingress.Outcome(reason)) {
		return nil
	}
	names := make([]string, len(ingress.Reasons))
	for i, r := range ingress.Reasons {
		names[i] = string(r)
	}
	return apiError(http.StatusBadRequest, "unknown reason %.40q; use %s", reason, strings.Join(names, ", "))
}

func listBlocks(r *http.Request, j *journal.Journal) (any, error) {
	if _, err := readQuery(r); err != nil {
		return nil, err
	}
	blocks, err := j.Blocks(r.Context())
	if err != nil {
		return nil, err
	}
	blocks.Blocks = orEmpty(blocks.Blocks)
	for i := range blocks.Blocks {
		blocks.Blocks[i].Destinations = orEmpty(blocks.Blocks[i].Destinations)
	}
	return blocks, nil
}

func listCauses(r *http.Request, q *queue.Queue) (any, error) {
	query, err := readQuery(r, "destination")
	if err != nil {
		return nil, err
	}
	destination := query.Get("destination")
	if err = checkDestination(r.Context(), q, destination); err != nil {
		return nil, err
	}
	causes, err := q.Causes(r.Context(), destination)
	return Causes{orEmpty(causes)}, err
}
