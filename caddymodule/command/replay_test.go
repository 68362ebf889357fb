package command

import (
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
)

func TestReplaySelection(t *testing.T) {
	first := firstKey.String()
	for _, c := range []struct {
		args []string
		want admin.Selection
		err  string
	}{
		{[]string{first, "--destination", "crm"}, admin.Selection{IDs: []string{first}, Destination: new("crm")}, ""},
		{[]string{"--dead"}, admin.Selection{Dead: true}, ""},
		{[]string{"--since", "2h"}, admin.Selection{Since: "2026-01-04T10:00:00Z"}, ""},
		{[]string{"--since", "1d"}, admin.Selection{Since: "2026-01-03T12:00:00Z"}, ""},
		{[]string{"--since", "2026-01-02T15:04:05.5+01:00"}, admin.Selection{Since: "2026-01-02T14:04:05.5Z"}, ""},
		{[]string{"--dead", "--destination", ""}, admin.Selection{}, "--destination is empty"},
		{nil, admin.Selection{}, "select the events with one of"},
		{[]string{"--destination", "crm"}, admin.Selection{}, "select the events with one of"},
		{[]string{first, "--dead"}, admin.Selection{}, "select the events with only one of"},
		{[]string{"--dead", "--since", "2h"}, admin.Selection{}, "select the events with only one of"},
		{[]string{"--since", "-2h"}, admin.Selection{}, "or a duration"},
		{[]string{"--since", "0s"}, admin.Selection{}, "or a duration"},
		{[]string{"--since", "yesterday"}, admin.Selection{}, "or a duration"},
		{[]string{first, "nonsense"}, admin.Selection{}, `"nonsense" does not name an event`},
	} {
		fl, args := flagsOf(t, replayCommand(), c.args...)
		got, err := replaySelection(fl, args, now)
		if len(got.IDs) == 0 {
			got.IDs = nil
		}
		switch {
		case c.err == "" && (err != nil || !reflect.DeepEqual(got, c.want)):
			t.Errorf("%v: %+v, %v; want %+v", c.args, got, err, c.want)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%v: %v; want %s", c.args, err, c.err)
		}
	}
}
