package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

const (
	// eventsOnPage is how many events a page of the list shows.
	eventsOnPage = 50

	// maxTrail is how many pages one can go back to newer ones, one by one.
	maxTrail = 40

	// liveReload is after how many seconds a browser without script looks for new events.
	liveReload = 10
)

// eventsPage is what the page of events shows.
type eventsPage struct {
	Filter     map[string]string // by name, as given
	Active     []activeFilter
	States     []queue.State
	Providers  []string
	Names      []string // of destinations
	Wrong      string   // why the filter cannot be understood
	Events     []journal.Event
	SearchedTo time.Time

	Older, Newer, Latest string // relative links; empty for none
	Live                 bool   // new events are shown as they come
	Toggle               string // the link that changes Live
	Feed                 string // the link of the live feed
}

type activeFilter struct {
	Name, Value, Without string // Without is the link to the list without it
}

// events lists events.
func (v *visit) events(ctx context.Context) (page, error) {
	query := v.r.URL.Query()
	if cleaned, isClean := withoutEmpty(query); !isClean {
		return page{}, &moved{"events" + encoded(cleaned)}
	}
	e := eventsPage{Filter: make(map[string]string), States: stateNames, Live: query.Get("live") != ""}
	filter := make(url.Values)
	for _, name := range journal.FilterNames {
		if value := query.Get(name); value != "" {
			e.Filter[name] = value
			filter.Set(name, value)
		}
	}
	for _, name := range journal.FilterNames {
		if filter.Has(name) {
			e.Active = append(e.Active, activeFilter{name, filter.Get(name), "events" + encoded(with(filter, name, ""))})
		}
	}
	e.addNames(ctx, v.journal)
	e.links(query, filter)
	p := page{name: "events", Title: "Events", Data: &e}
	search, err := journal.ParseFilter(filter.Get, v.now())
	if err != nil {
		e.Wrong, e.Live = err.Error(), false
		return p, nil
	}
	found, err := v.journal.Events(ctx, search, journal.Page{Cursor: query.Get("cursor"), Limit: eventsOnPage})
	if err != nil {
		return page{}, err
	}
	e.Events, e.SearchedTo = found.Events, found.SearchedTo
	if found.Next != "" {
		older := with(with(query, "cursor", found.Next), "live", "")
		older.Add("trail", query.Get("cursor"))
		if trail := older["trail"]; len(trail) > maxTrail {
			older["trail"] = trail[len(trail)-maxTrail:]
		}
		e.Older = "events" + encoded(older)
	}
	if e.Live {
		p.Reload = liveReload
	}
	return p, nil
}

// addNames fills in what the fields of the filter offer. Without it, one types.
func (e *eventsPage) addNames(ctx context.Context, j reader) {
	blocks, _ := j.Blocks(ctx)
	for _, b := range blocks.Blocks {
		if !slices.Contains(e.Providers, b.Provider) {
			e.Providers = append(e.Providers, b.Provider)
		}
		for _, name := range b.Destinations {
			if !slices.Contains(e.Names, name) {
				e.Names = append(e.Names, name)
			}
		}
	}
}

// links fills in the links to the pages before this one, and to the live view.
func (e *eventsPage) links(query, filter url.Values) {
	if trail := query["trail"]; query.Get("cursor") != "" {
		e.Latest = "events" + encoded(filter)
		e.Live = false
		newer := with(query, "cursor", "")
		newer.Del("trail")
		if len(trail) > 0 {
			newer.Set("cursor", trail[len(trail)-1])
			newer["trail"] = trail[:len(trail)-1]
			if newer.Get("cursor") == "" {
				newer = filter
			}
			e.Newer = "events" + encoded(newer)
		}
		return
	}
	on := "1"
	if e.Live {
		on = ""
	}
	e.Toggle = "events" + encoded(with(filter, "live", on))
	e.Feed = "feed" + encoded(filter)
}

// with returns a copy of a query with another value; an empty one removes it.
func with(query url.Values, name, value string) url.Values {
	copied := make(url.Values, len(query)+1)
	for key, values := range query {
		copied[key] = slices.Clone(values)
	}
	copied.Del(name)
	copied.Del("job")
	if value != "" {
		copied.Set(name, value)
	}
	return copied
}

func encoded(query url.Values) string {
	if len(query) == 0 {
		return ""
	}
	return "?" + query.Encode()
}

// withoutEmpty returns a query without the fields of a form that were left empty, so
// that the address of a view holds what it selects and nothing else.
func withoutEmpty(query url.Values) (cleaned url.Values, isClean bool) {
	cleaned, isClean = make(url.Values), true
	for name, values := range query {
		for _, value := range values {
			if value == "" && name != "trail" { // of the first page
				isClean = false
				continue
			}
			cleaned.Add(name, value)
		}
	}
	return cleaned, isClean
}

// moved is the error of a page that is at another address.
type moved struct{ to string }

// Error implements error.
func (m *moved) Error() string { return "moved to " + m.to }

// redirect answers with another page of the console, relative to the overview.
func (v *visit) redirect(to string) {
	v.w.Header().Set("Location", v.root+strings.TrimPrefix(to, "./"))
	v.w.WriteHeader(http.StatusSeeOther)
}
