package verify

import (
	"errors"
	"strings"

	"github.com/tidwall/gjson"
)

// memberPath is the way to a value through the members of objects, by their names.
type memberPath []string

// errMemberPath is the error of a path that more than one value could be at.
var errMemberPath = errors.New(`in a proof, use only names of members, with dots between them, such as meta.token; write a backslash before any of . * ? # | @ ! { [ ( in a name`)

// parseMemberPath parses the names of a gjson path.
func parseMemberPath(path string) (memberPath, error) {
	var names memberPath
	var name strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '.':
			names = append(names, name.String())
			name.Reset()
			continue
		case c == '\\' && i+1 < len(path):
			i++
		case strings.IndexByte(`\*?#|@!{[(`, c) >= 0:
			return nil, errMemberPath
		}
		name.WriteByte(path[i])
	}
	names = append(names, name.String())
	for _, name := range names {
		if name == "" {
			return nil, errMemberPath
		}
	}
	return names, nil
}

// find returns the value at the path below root, ErrMissing if there is none. Two members
// of one name prove nothing: another program could read the other one. Then the error is
// ErrBad.
func (p memberPath) find(root gjson.Result) (gjson.Result, error) {
	for _, name := range p {
		if !root.IsObject() {
			return gjson.Result{}, ErrMissing
		}
		var found gjson.Result
		n := 0
		root.ForEach(func(key, member gjson.Result) bool {
			if key.Str == name {
				found = member
				n++
			}
			return true
		})
		switch n {
		case 0:
			return gjson.Result{}, ErrMissing
		case 1:
			root = found
		default:
			return gjson.Result{}, ErrBad
		}
	}
	return root, nil
}

// text returns the text of the string, number or boolean at the path, a number as it is
// written; ErrMissing if there is none, or if it is empty.
func (p memberPath) text(root gjson.Result) (string, error) {
	value, err := p.find(root)
	if err != nil {
		return "", err
	}
	switch value.Type {
	case gjson.String:
		if value.Str != "" {
			return value.Str, nil
		}
	case gjson.Number, gjson.True, gjson.False:
		return value.Raw, nil
	}
	return "", ErrMissing
}

// credential returns the string at the path.
func (p memberPath) credential(root gjson.Result) (string, error) {
	value, err := p.find(root)
	if err == nil && (value.Type != gjson.String || value.Str == "") {
		err = ErrMissing
	}
	return value.Str, err
}
