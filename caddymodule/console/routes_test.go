package console

import "testing"

func TestParseRoute(t *testing.T) {
	for path, want := range map[string]route{
		"":                         {name: "overview", root: "./"},
		"/":                        {name: "overview", root: "./"},
		"/console/":                {name: "overview", root: "./"},
		"/events":                  {name: "events", root: "./"},
		"/console/events":          {name: "events", root: "./"},
		"/events/events":           {name: "event", arg: "events", root: "../"},
		"/events/msg_a":            {name: "event", arg: "msg_a", root: "../"},
		"/a/b/events/msg_a":        {name: "event", arg: "msg_a", root: "../"},
		"/events/msg_a/envelope":   {name: "body", arg: "msg_a", part: "envelope", root: "../../"},
		"/a/events/msg_a/original": {name: "body", arg: "msg_a", part: "original", root: "../../"},
		"/events/msg_a/other":      {root: "./"},
		"/console/assets/a.css":    {name: "asset", arg: "a.css", root: "../"},
		"/x/y/assets/a.css":        {name: "asset", arg: "a.css", root: "../"},
		"/console/jobs/A":          {name: "job", arg: "A", root: "../"},
		"/dead":                    {name: "dead", root: "./"},
		"/console/refusals":        {name: "refusals", root: "./"},
		"/console/feed":            {name: "feed", root: "./"},
		"/console/replay":          {name: "replay", root: "./"},
		"/console":                 {root: "./"},
		"/nothing":                 {root: "./"},
		"/envelope":                {root: "./"},

		// A slash too many.
		"/events/":                                   {name: "slashed", arg: "events", root: "../"},
		"/console/refusals/":                         {name: "slashed", arg: "refusals", root: "../"},
		"/events/" + firstKey.String() + "/":         {name: "slashed", arg: firstKey.String(), root: "../../"},
		"/console/events/" + firstKey.String() + "/": {name: "slashed", arg: firstKey.String(), root: "../../"},
		"/console/assets/":                           {root: "../"},
		"/jobs/":                                     {root: "../"},
		"/replay/":                                   {root: "../"},
		"/feed/":                                     {root: "../"},
		"/events/console/":                           {name: "overview", root: "./"},
	} {
		if got := parseRoute(path); got != want {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
}

// TestSlashTooMany shows that a page with a slash after it leads to the page, and stays
// on this host.
func TestSlashTooMany(t *testing.T) {
	s := newSite(t, busy())
	for path, want := range map[string]string{
		"/events/?state=dead":                    "../events?state=dead",
		"/console/dead/":                         "../dead",
		"/events/" + firstKey.String() + "/":     "../" + firstKey.String(),
		"//elsewhere.example.com/events/?a=%3Cb": "../events?a=%3Cb",
	} {
		w := s.get(path)
		if got := w.Header().Get("Location"); w.Code != 308 || got != want {
			t.Errorf("%s: %d to %s, want %s", path, w.Code, got, want)
		}
	}
	for _, path := range []string{"/assets/", "/jobs/", "/feed/", "/replay/"} {
		s.want(path, 404, "No such page", `href="../"`)
	}
}
