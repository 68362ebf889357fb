// Package subscription manages webhooks at providers through their APIs, so that
// a provider sends to the gateway what a block takes, with the credentials that
// the block checks. What an API calls a webhook is a subscription here.
//
// An API describes the provider's API as data, and a Client calls it for one
// account. A Target is the subscription that one block wants; its Plan lists the
// changes from what the provider has, and Do makes them.
package subscription

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Values of API.Update.
const (
	Patch = "patch" // PATCH with the members that change
	Put   = "put"   // PUT with all members
)

// ListIsAnswer is the value of API.List for an answer that is the array itself.
const ListIsAnswer = "."

// accountVariable is the placeholder for the account in API.Path.
const accountVariable = "$account"

// API describes a provider's API for its webhooks: JSON over HTTP, with GET and
// POST on one path for all, and GET, PATCH or PUT, and DELETE on that path with an
// id for one.
type API struct {
	// API is the URL of the API, without the path and without a query. The `api` of
	// a `subscribe` block overrides it. Required.
	API string `json:"api"`

	// Path is the path of all subscriptions. It begins with a slash, and `$account`
	// in it is replaced by the account. Required.
	Path string `json:"path"`

	// Key is where requests carry the API token. Required.
	Key Key `json:"key"`

	// List is the name of the top-level member that holds the array of subscriptions
	// in the answer to a GET, or `.` if the answer is the array. The array must hold
	// all of them: paging is not supported. Required.
	List string `json:"list"`

	// Get reports that the list leaves out members which a GET of one subscription
	// returns. Default: false.
	Get bool `json:"get,omitempty"`

	// Update is the method that changes a subscription: `patch` with the members
	// that change, or `put` with all. Required.
	Update string `json:"update"`

	// Fields maps `id`, `name`, `url`, `events`, `inbox`, `token`, `header`,
	// `basic_auth`, `active` and `error` to the provider's names of the top-level
	// members of a subscription. The first three are required; the provider does not
	// have the others that are left out. `header` is an array of objects with `name`
	// and `value`, `basic_auth` an object with `username` and `password`, `error` a
	// text or an object with `message`.
	Fields map[string]string `json:"fields"`
}

// Key is where requests carry the API token. Exactly one of its fields is set.
type Key struct {
	// Bearer sends it in the Authorization header, after `Bearer`.
	Bearer bool `json:"bearer,omitempty"`

	// Header is the name of the header that holds nothing but the token.
	Header string `json:"header,omitempty"`
}

// headerName matches a token of RFC 9110, section 5.6.2. Unlike the headers that
// a gateway checks, this one may hold an underscore: Caddy does not receive it.
var headerName = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")

// Validate checks that the description is complete, and that all its values are
// valid.
func (a *API) Validate() error {
	if err := CheckAPI(a.API); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	path := strings.ReplaceAll(a.Path, accountVariable, "")
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "$?# ") {
		return fmt.Errorf("path %q must begin with a slash; its only variable is %s", a.Path, accountVariable)
	}
	switch {
	case a.Key.Bearer == (a.Key.Header != ""):
		return errors.New("`key` is required: bearer, or header <name>")
	case a.Key.Header != "" && !headerName.MatchString(a.Key.Header):
		return fmt.Errorf("key: %q is not a header name", a.Key.Header)
	case a.List == "":
		return errors.New("`list` is required: the member that holds the array, or . for the whole answer")
	case a.Update != Patch && a.Update != Put:
		return errors.New("`update` is required: patch or put")
	}
	return a.validateFields()
}

func (a *API) validateFields() error {
	for _, word := range required {
		if !a.Has(word) {
			return fmt.Errorf("`field %s` is required: the provider's name for it", word)
		}
	}
	words := make([]string, 0, len(a.Fields))
	for word := range a.Fields {
		words = append(words, word)
	}
	slices.Sort(words)
	taken := make(map[string]string)
	for _, word := range words {
		if err := CheckField(word); err != nil {
			return err
		}
		switch member := a.Fields[word]; {
		case member == "":
			return fmt.Errorf("field %s: the provider's name for it is missing", word)
		case taken[member] != "":
			return fmt.Errorf("field %s: member %q is used by field %s", word, member, taken[member])
		}
		taken[a.Fields[word]] = word
	}
	return nil
}

// CheckField checks that a word is a key of API.Fields.
func CheckField(word string) error {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.word
	}
	if slices.Contains(names, word) {
		return nil
	}
	last := len(names) - 1
	return fmt.Errorf("unknown field %q; use %s or %s", word, strings.Join(names[:last], ", "), names[last])
}

// Has reports whether the provider's subscriptions have a field.
func (a *API) Has(word string) bool { return a.Fields[word] != "" }

// HasAccounts reports whether the path contains an account.
func (a *API) HasAccounts() bool { return strings.Contains(a.Path, accountVariable) }
