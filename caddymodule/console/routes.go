package console

import "strings"

// route is what a request asks for.
type route struct {
	name string // of the page or change; empty if there is none
	arg  string // an event, a job or an asset
	part string // of an event: envelope or original
	root string // the relative path from the page to the overview
}

// isPage and isChange hold the names of routes with one segment.
var (
	isPage   = map[string]bool{"events": true, "dead": true, "refusals": true, "feed": true}
	isChange = map[string]bool{"replay": true, "discard": true, "pause": true, "resume": true}
)

// parseRoute reads the last segments of a path. Those before them are the place of the
// console, which the handler does not know: links between pages are relative.
func parseRoute(path string) route {
	segments := strings.Split(path, "/")
	for len(segments) < 3 {
		segments = append([]string{""}, segments...)
	}
	before, parent, last := segments[len(segments)-3], segments[len(segments)-2], segments[len(segments)-1]
	switch {
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
