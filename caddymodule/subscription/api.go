// Package subscription manages the provider's side of a webhook: what a
// provider's API calls a webhook, and is here a subscription, so that it sends
// to the gateway what a block takes, with the proof that the block checks.
//
// An API describes the provider's API as data. A Target is what one block wants
// there; its Plan is the way from what the provider has to that.
package subscription

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Words of API.Update.
const (
	// Patch is PATCH with the members that change.
	Patch = "patch"

	// Put is PUT with all members.
	Put = "put"
)

// ListIsAnswer is the API.List of a provider whose answer is the array itself.
const ListIsAnswer = "."

// accountVariable stands for the account in API.Path.
const accountVariable = "$account"

// API describes how a provider lets its subscriptions be managed: JSON over
// HTTP, with GET and POST on a path for all of them, and for one the id behind
// it.
type API struct {
	// API is the URL before the path, unless a `subscribe` block says another.
	API string `json:"api"`

	// Path is the path of all subscriptions. `$account` in it stands for the
	// account.
	Path string `json:"path"`

	// Key says where the API token stands.
	Key Key `json:"key"`

	// List is the member, at the top, that holds the array of subscriptions in the
	// answer to a GET; `.` when the answer is that array. It has all of them: an
	// answer with pages is not for this.
	List string `json:"list"`

	// Get says that the list leaves out members, which a GET of one shows.
	Get bool `json:"get,omitempty"`

	// Update is how one is changed: `patch` or `put`.
	Update string `json:"update"`

	// Fields says what the provider calls `id`, `name`, `url`, `events`, `inbox`,
	// `token`, `header`, `basic_auth`, `active` and `error`: members at the top of a
	// subscription. It has what is here; the first three are required. `header` is an
	// array of objects with `name` and `value`, `basic_auth` an object with
	// `username` and `password`, `error` a text, or an object with `message`.
	Fields map[string]string `json:"fields"`
}

// Key is where an API token stands: exactly one of its fields is set.
type Key struct {
	// Bearer is the Authorization header, with `Bearer` before the token.
	Bearer bool `json:"bearer,omitempty"`

	// Header is the name of another header.
	Header string `json:"header,omitempty"`
}

// headerName is a token of RFC 9110, section 5.6.2. Unlike the headers that
// prove a delivery, this one may hold an underscore: Caddy does not receive it.
var headerName = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")

// Validate checks the description.
func (a *API) Validate() error {
	if err := CheckAPI(a.API); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	path := strings.ReplaceAll(a.Path, accountVariable, "")
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "$?# ") {
		return fmt.Errorf("path %q: it begins with a slash, and %s is all that may vary", a.Path, accountVariable)
	}
	switch {
	case a.Key.Bearer == (a.Key.Header != ""):
		return errors.New("it needs a `key`: bearer, or header <name>")
	case a.Key.Header != "" && !headerName.MatchString(a.Key.Header):
		return fmt.Errorf("key: header %q is not the name of one", a.Key.Header)
	case a.List == "":
		return errors.New("it needs a `list`: the member that holds the array, or . for the answer itself")
	case a.Update != Patch && a.Update != Put:
		return errors.New("it needs an `update`: patch or put")
	}
	return a.validateFields()
}

func (a *API) validateFields() error {
	for _, word := range required {
		if !a.Has(word) {
			return fmt.Errorf("it needs a `field %s`: what the provider calls it", word)
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
			return fmt.Errorf("field %s: what does the provider call it?", word)
		case taken[member] != "":
			return fmt.Errorf("field %s: its member %q is that of field %s already", word, member, taken[member])
		}
		taken[a.Fields[word]] = word
	}
	return nil
}

// CheckField checks the name of a field.
func CheckField(word string) error {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.word
	}
	if slices.Contains(names, word) {
		return nil
	}
	last := len(names) - 1
	return fmt.Errorf("unknown field %q: use %s or %s", word, strings.Join(names[:last], ", "), names[last])
}

// Has reports whether the provider knows a field.
func (a *API) Has(word string) bool { return a.Fields[word] != "" }

// HasAccounts reports whether the subscriptions of each account are apart.
func (a *API) HasAccounts() bool { return strings.Contains(a.Path, accountVariable) }

// CheckURL checks that a URL is one that can be called.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	// The error would repeat what may hold a credential.
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return errors.New("it is not a URL: one begins with https:// or http://, and names a host")
	}
	if u.User != nil {
		return errors.New("it holds a user name before an @; remove that")
	}
	if err := checkSpelling(u); err != nil {
		return err
	}
	if u.Fragment != "" || strings.HasSuffix(s, "#") {
		return errors.New("it has a fragment, behind a #, which is never sent; remove it")
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil {
		return errors.New("its query is not one: escape what stands in it")
	}
	return nil
}

// checkSpelling refuses what a provider may spell otherwise: its URL would be
// another one then.
func checkSpelling(u *url.URL) error {
	isOther := func(r rune) bool { return r > '~' }
	switch host := u.Hostname(); {
	case strings.ContainsFunc(host, isOther):
		return errors.New("its host is not spelled in ASCII; write the form that begins with xn--")
	case strings.HasSuffix(host, "."):
		return errors.New("its host ends with a dot; remove that")
	}
	for _, segment := range strings.Split(u.Path, "/") {
		if segment == "." || segment == ".." {
			return errors.New("its path has a segment of dots; write the path that it leads to")
		}
	}
	return nil
}

// CheckAPI checks the URL of an API.
func CheckAPI(s string) error {
	if strings.Contains(s, "?") {
		return errors.New("it has a query, behind a ?; it is only where the API is, such as https://api.example.com")
	}
	return CheckURL(s)
}
