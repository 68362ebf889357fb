package diagnose

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// tokens returns where one of the tokens is, if it is not where the provider presents
// it, or not in the same form.
func (r Refused) tokens() (causes []string) {
	for _, place := range r.values() {
		switch {
		case place.text == "":
		case slices.Contains(r.Tokens, place.text):
			causes = append(causes, "The token is in "+place.name+".")
		case slices.ContainsFunc(r.Tokens, func(token string) bool { return token != "" && strings.TrimSpace(token) == place.text }):
			causes = append(causes, "The token in "+place.name+" is right without the space around the configured one; remove it.")
		case slices.ContainsFunc(r.Tokens, func(token string) bool { return isScheme(place.text, token) }):
			causes = append(causes, "The token in "+place.name+" is right, but there is a word before it.")
		}
	}
	return causes
}

// isScheme reports whether a text is a word, a space and the token.
func isScheme(text, token string) bool {
	_, rest, ok := strings.Cut(text, " ")
	return ok && rest == token
}

// placed is a text in a request.
type placed struct{ name, text string }

// values returns the headers, parameters and members at the top of the body.
func (r Refused) values() []placed {
	var all []placed
	request := r.Request(r.Body)
	for _, name := range slices.Sorted(maps.Keys(request.Header)) {
		for _, value := range request.Header[name] {
			all = append(all, placed{"header " + name, value})
		}
	}
	query, _ := url.ParseQuery(request.Query)
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range query[name] {
			all = append(all, placed{"query parameter " + name, value})
		}
	}
	if object := gjson.ParseBytes(r.Body); gjson.ValidBytes(r.Body) && object.IsObject() {
		object.ForEach(func(name, value gjson.Result) bool {
			all = append(all, placed{"member " + name.Str + " of the body", value.Str})
			return true
		})
	}
	return all
}
