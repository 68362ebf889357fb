package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

// decodeSelection decodes the body of a request.
func decodeSelection(body []byte) (read Selection, err error) {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return read, errors.New("it is empty")
	case envelope.Check(body) != nil: // which also bounds how deep it is
		return read, errors.New("it is not JSON")
	}
	var filter json.RawMessage
	if err = decodeMembers(body, []member{
		{"ids", &read.IDs, "a list of ids"},
		{"dead", &read.Dead, "true or false"},
		{"since", &read.Since, "a time"},
		{"filter", &filter, "an object"},
		{"destination", &read.Destination, "a name"},
		{"cause", &read.Cause, "a string"},
		{"dry_run", &read.DryRun, "true or false"},
	}); err != nil || filter == nil {
		return read, err
	}
	if read.Filter, err = decodeFilter(filter); err != nil {
		return read, fmt.Errorf("filter: %w", err)
	}
	return read, nil
}

// decodeFilter decodes an object with filters.
func decodeFilter(object []byte) (map[string]string, error) {
	members := make([]member, len(journal.FilterNames))
	values := make([]string, len(members))
	for i, name := range journal.FilterNames {
		members[i] = member{name, &values[i], "a string"}
	}
	if err := decodeMembers(object, members); err != nil {
		return nil, err
	}
	filter := make(map[string]string)
	for i, name := range journal.FilterNames {
		if values[i] != "" {
			filter[name] = values[i]
		}
	}
	if len(filter) == 0 {
		return nil, fmt.Errorf("it is empty; select events by at least one of %s", strings.Join(journal.FilterNames, ", "))
	}
	if _, ok := filter["destination"]; ok && len(filter) == 1 {
		return nil, errors.New("a destination alone selects all of its events; add a member, such as since or state")
	}
	return filter, nil
}

// member is a member that an object may have.
type member struct {
	name string
	to   any    // where its value is decoded to
	want string // its value
}

// decodeMembers decodes an object. Unlike encoding/json, it refuses a member that is
// null, empty, unknown or there twice: each could widen a selection.
func decodeMembers(object []byte, members []member) (err error) {
	read := gjson.ParseBytes(object)
	if !read.IsObject() {
		return errors.New("it is not an object")
	}
	known := make(map[string]member, len(members))
	names := make([]string, len(members))
	for i, m := range members {
		known[m.name] = m
		names[i] = m.name
	}
	seen := make(map[string]bool)
	read.ForEach(func(name, value gjson.Result) bool {
		m, ok := known[name.String()]
		switch {
		case !ok:
			err = fmt.Errorf("unknown member %.40q; use %s", name.String(), strings.Join(names, ", "))
		case seen[m.name]:
			err = fmt.Errorf("duplicate member %q; remove one", m.name)
		case value.Type == gjson.Null:
			err = fmt.Errorf("member %q is null; leave it out", m.name)
		case isEmpty(value):
			err = fmt.Errorf("member %q is empty; leave it out", m.name)
		case json.Unmarshal([]byte(value.Raw), m.to) != nil:
			err = fmt.Errorf("member %q must be %s", m.name, m.want)
		}
		seen[m.name] = true
		return err == nil
	})
	return err
}

// isEmpty reports whether a value is an empty list or string.
func isEmpty(value gjson.Result) bool {
	return value.IsArray() && !value.Get("0").Exists() || value.Type == gjson.String && value.Str == ""
}
