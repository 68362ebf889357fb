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
	} {
		if got := parseRoute(path); got != want {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
}
