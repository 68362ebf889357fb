package command

import (
	"fmt"
	"net/url"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

// filterUsage describes the filters of events in the help of commands.
var filterUsage = map[string]string{
	"provider":     "Only events of this provider",
	"source":       "Only events of this source",
	"type":         "Only events of this type; * matches a whole segment, or all at its end, as in message.*",
	"subject":      "Only events with this subject",
	"partitionkey": "Only events with this partition key",
	"id":           "Only events with this `id` of the provider's own",
	"destination":  "Only events that this destination takes",
	"state":        "Only events in this state, at --destination or at any: waiting, retrying, parked, delivered, dead or unrouted",
	"since":        "Only events that arrived since a time in RFC 3339, or a duration ago, such as 2h or 7d",
	"until":        "Only events that arrived before a time in RFC 3339, or a duration ago",
	"text":         "Only events with this text in their bodies",
}

// addFilterFlags adds a flag for each filter of events.
func addFilterFlags(cmd *cobra.Command) {
	for _, name := range journal.FilterNames {
		cmd.Flags().String(name, "", filterUsage[name])
	}
}

// readFilters returns the filters that flags set, by their names. An empty value is an
// error: it comes from a variable that is not set, and does not mean all.
func readFilters(fl caddycmd.Flags, names []string, now time.Time) (map[string]string, error) {
	filters := make(map[string]string)
	for _, name := range names {
		value := fl.String(name)
		switch {
		case !fl.Changed(name):
			continue
		case value == "" && name == "destination":
			_, err := destinationFlag(fl)
			return nil, err
		case value == "":
			return nil, fmt.Errorf("--%s is empty; give it a value, or leave it out", name)
		case name == "since", name == "until":
			// All pages have the same time.
			t, err := journal.ParseTime(value, now)
			if err != nil {
				return nil, fmt.Errorf("--%s: %w", name, err)
			}
			value = t.UTC().Format(time.RFC3339Nano)
		}
		filters[name] = value
	}
	return filters, nil
}

// queryOf returns filters as the query of a request.
func queryOf(filters map[string]string) url.Values {
	query := make(url.Values, len(filters))
	for name, value := range filters {
		query.Set(name, value)
	}
	return query
}
