package journal

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// FilterNames are the names of the filters of events, in the admin API, as flags of the
// commands and in the URLs of the console.
var FilterNames = []string{
	"provider", "source", "type", "subject", "partitionkey", "id", "destination", "state", "since", "until", "text",
}

// ParseFilter parses filters by their names; get returns "" for one that is not set. A
// time is in RFC 3339, or how long ago it was, such as 2h or 7d.
func ParseFilter(get func(name string) string, now time.Time) (queue.Search, error) {
	return queue.Search{}, nil
}
