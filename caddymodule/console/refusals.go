package console

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

const (
	// maxRefusals is how many refusals are read: all that a gateway remembers.
	maxRefusals = 1000

	// refusalsOnPage is how many of them are listed one by one.
	refusalsOnPage = 100
)

// refusalsPage is what the page of refusals shows.
type refusalsPage struct {
	Provider, Reason string // the filter
	Groups           []refusalGroup
	Refusals         []journal.Refusal
	Total            int64
}

// refusalGroup is the refusals of one block for one reason.
type refusalGroup struct {
	Provider, Source, Code string
	Reason                 reason
	Count                  int64
	First, Last            time.Time
	Cause                  string // of the last one
	Link                   string
}

// refusals explains why requests were refused.
func (v *visit) refusals(context.Context) (page, error) {
	query := v.r.URL.Query()
	shown := refusalsPage{Provider: query.Get("provider"), Reason: query.Get("reason")}
	found, err := v.journal.Refusals(journal.RefusalFilter{Provider: shown.Provider, Reason: shown.Reason}, journal.Page{Limit: maxRefusals})
	if err != nil {
		return page{}, err
	}
	shown.Total = int64(len(found.Refusals))
	shown.Groups = groupRefusals(found.Refusals)
	shown.Refusals = found.Refusals[:min(len(found.Refusals), refusalsOnPage)]
	return page{name: "refusals", Title: "Refusals", Data: shown}, nil
}

// groupRefusals groups refusals, which are the latest first, by block and reason, the
// most frequent first.
func groupRefusals(refusals []journal.Refusal) []refusalGroup {
	type kind struct{ source, reason string }
	places := make(map[kind]int)
	var groups []refusalGroup
	for _, r := range refusals {
		i, ok := places[kind{r.Source, r.Reason}]
		if !ok {
			i = len(groups)
			places[kind{r.Source, r.Reason}] = i
			groups = append(groups, refusalGroup{
				Provider: r.Provider, Source: r.Source, Code: r.Reason, Reason: reasons[r.Reason], Last: r.Time, Cause: r.Cause,
				Link: "refusals" + encoded(map[string][]string{"provider": {r.Provider}, "reason": {r.Reason}}),
			})
		}
		groups[i].Count++
		groups[i].First = r.Time
	}
	slices.SortStableFunc(groups, func(a, b refusalGroup) int { return cmp.Compare(b.Count, a.Count) })
	return groups
}
