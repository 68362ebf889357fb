package console

import (
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// route is what a request asks for.
type route struct {
	name string // of the page or change; empty if there is none; slashed for a page with a slash after it
	arg  string // an event, a job or an asset
	part string // of an event: envelope or original
	root string // the relative path from the page to the overview
}

// isPage and isChange hold the names of routes with one segment.
var (
	isPage   = map[string]bool{"events": true, "dead": true, "refusals": true, "feed": true}
	isChange = map[string]bool{"replay": true, "discard": true, "pause": true, "resume": true}
)

func isEvent(name string) bool {
	_, err := envelope.ParseKey(name)
	return err == nil
}

// parseRoute reads the last segments of a path. Those before them are the place of the
// console, which the handler does not know: links between pages are relative. It has a
// slash at its end; a name of a page before that slash is taken for the page.
func parseRoute(path string) route {
	segments := strings.Split(path, "/")
	for len(segments) < 3 {
		segments = append([]string{""}, segments...)
	}
	before, parent, last := segments[len(segments)-3], segments[len(segments)-2], segments[len(segments)-1]
	switch {
	case last == "" && isPage[parent] && parent != "feed":
		return route{name: "slashed", arg: parent, root: "../"}
	case last == "" && before == "events" && isEvent(parent):
		return route{name: "slashed", arg: parent, root: "../../"}
	case last == "" && (isPage[parent] || isChange[parent] || parent == "jobs" || parent == "assets"):
		return route{root: "../"}
	case last == "":
		return route{name: "overview", root: "./"}
	case before == "events" && (last == "envelope" || last == "original"):
		return route{name: "body", arg: parent, part: last, root: "../../"}
	case parent == "events":
		return route{name: "event", arg: last, root: "../"}
	case parent == "jobs":
		return route{name: "job", arg: last, root: "../"}
	case parent == "assets":
		return route{name: "asset", arg: last, root: "../"}
	case isPage[last], isChange[last]:
		return route{name: last, root: "./"}
	}
	return route{root: "./"} // from which assets are found, wherever the console is
}
