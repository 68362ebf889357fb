package subscription

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
)

// Operations of a Difference.
const (
	Add     = "add"
	Remove  = "remove"
	Replace = "replace" // the old value is unknown, or neither may be shown
)

// Difference is one value that has to change.
type Difference struct {
	// Op is Add, Remove or Replace.
	Op string `json:"op"`

	// Field is a key of API.Fields.
	Field string `json:"field"`

	// Value is the value that is added, removed or set. Empty if it must not be
	// shown.
	Value string `json:"value,omitempty"`
}

// differences lists what has to change in s to become want, in the fields that
// an API has. Fields that the provider does not report are not compared.
func (s *Subscription) differences(api *API, want *Subscription) []Difference {
	var all []Difference
	for _, f := range fields {
		if f.differences != nil && api.Has(f.word) && s.reported[f.word] {
			all = append(all, f.differences(s, want)...)
		}
	}
	return all
}

// everything lists the values of a new subscription.
func (s *Subscription) everything(api *API) []Difference {
	none := new(Subscription)
	var all []Difference
	for _, f := range fields {
		if f.differences != nil && api.Has(f.word) {
			all = append(all, f.differences(none, s)...)
		}
	}
	return all
}

// textDifferences compares texts that may be shown.
func textDifferences(word, have, want string) []Difference {
	if have == want {
		return nil
	}
	return setDifferences(word, nonEmpty(have), nonEmpty(want))
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// setDifferences compares texts in any order.
func setDifferences(word string, have, want []string) []Difference {
	var all []Difference
	for _, value := range want {
		if !slices.Contains(have, value) {
			all = append(all, Difference{Add, word, value})
		}
	}
	for _, value := range have {
		if !slices.Contains(want, value) {
			all = append(all, Difference{Remove, word, value})
		}
	}
	return all
}

// hiddenDifferences returns the difference of values that must not be shown.
func hiddenDifferences(word string, isEqual, had, wanted bool) []Difference {
	switch {
	case isEqual:
		return nil
	case !had:
		return []Difference{{Op: Add, Field: word}}
	case !wanted:
		return []Difference{{Op: Remove, Field: word}}
	}
	return []Difference{{Op: Replace, Field: word}}
}

// urlDifferences compares URLs, in whatever spelling.
func urlDifferences(have, want string) []Difference {
	switch {
	case have == "":
		return textDifferences(FieldURL, "", ShownURL(want))
	case !IsSamePlace(have, want):
		return textDifferences(FieldURL, ShownURL(have), ShownURL(want))
	case hasUser(have) || !reflect.DeepEqual(query(have), query(want)):
		return []Difference{{Replace, FieldURL, ShownURL(want)}}
	}
	return nil
}

// headerDifferences compares headers; their values must not be shown.
func headerDifferences(have, want []Header) []Difference {
	from, to := byName(have), byName(want)
	all := setDifferences(FieldHeader, slices.Sorted(maps.Keys(from)), slices.Sorted(maps.Keys(to)))
	for _, name := range slices.Sorted(maps.Keys(to)) {
		if values := from[name]; values != nil && !slices.Equal(values, to[name]) {
			all = append(all, Difference{Replace, FieldHeader, name})
		}
	}
	return all
}

// byName returns the values of each header.
func byName(headers []Header) map[string][]string {
	values := make(map[string][]string)
	for _, h := range headers {
		name := http.CanonicalHeaderKey(h.Name)
		values[name] = append(values[name], h.Value)
	}
	return values
}
