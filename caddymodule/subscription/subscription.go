package subscription

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Subscription is what a provider calls a webhook.
type Subscription struct {
	// ID is the provider's, as text.
	ID string

	// Name is its label. Together with the URL it says whose it is.
	Name string

	// URL is where the provider sends to. It may hold a token in its query.
	URL string

	// Events are the provider's own names of events.
	Events []string

	// Inbox is the number of the only inbox whose events are sent; "" is all.
	Inbox string

	// Token is what the provider presents.
	Token string

	// Headers are what the provider sends with each request.
	Headers []Header

	// BasicAuth is what the provider proves itself with in addition; zero is none.
	BasicAuth BasicAuth

	// Active says whether the provider sends anything.
	Active bool

	// Error is the last error that the provider has noted, "" if there is none.
	Error string

	reported map[string]bool // the fields that the provider's answer had
}

// Header is a header of each request.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// BasicAuth is a user name and password.
type BasicAuth struct {
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
}

// Reports reports whether the provider's answer had a field.
func (s *Subscription) Reports(word string) bool { return s.reported[word] }

// isInactive reports whether the provider says that it sends nothing.
func (s *Subscription) isInactive() bool { return s.reported[FieldActive] && !s.Active }

// What a Difference does.
const (
	Add     = "add"
	Remove  = "remove"
	Replace = "replace" // by what must not be shown
)

// Difference is one value that is changed.
type Difference struct {
	// Op is Add, Remove or Replace.
	Op string `json:"op"`

	// Field is the word of API.Fields.
	Field string `json:"field"`

	// Value is what is added or removed, "" for what must not be shown.
	Value string `json:"value,omitempty"`
}

// IsSame reports whether s bears the name and the URL of want, apart from the
// query, in which a token may stand.
func (s *Subscription) IsSame(want *Subscription) bool {
	return s.Name == want.Name && IsSamePlace(s.URL, want.URL)
}

// IsSamePlace reports whether two URLs are equal, apart from their query and how
// they are spelled.
func IsSamePlace(a, b string) bool { return place(a) != "" && place(a) == place(b) }

// place is a URL apart from its query, in one spelling; "" for what is none.
func place(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return ""
	}
	scheme := strings.ToLower(u.Scheme)
	host := strings.ToLower(u.Hostname())
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	path := escaped.ReplaceAllStringFunc(u.EscapedPath(), normalized)
	return scheme + " " + host + " " + port + " " + cmp.Or(path, "/")
}

// normalized is an escaped byte in the form that RFC 3986 prefers, see its
// section 6.2.2: what needs no escape has none, and other digits are upper-case.
func normalized(escaped string) string {
	b, _ := url.PathUnescape(escaped) // cannot fail: it is one escaped byte
	if strings.ContainsAny(b, "-._~") || strings.ContainsFunc(b, isLetterOrDigit) {
		return b
	}
	return strings.ToUpper(escaped)
}

// escaped matches a byte that is escaped in a URL.
var escaped = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

func isLetterOrDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// ShownURL is a URL without what may be a credential: the values in its query,
// and user and password.
func ShownURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" {
		return "(not a URL)"
	}
	if u.User != nil {
		u.User = url.User("…")
	}
	parameters := strings.Split(u.RawQuery, "&")
	for i, parameter := range parameters {
		name, value, hasValue := strings.Cut(parameter, "=")
		switch {
		case hasValue && strings.Trim(value, "=") != "": // else base64 in place of a name
			parameters[i] = name + "=…"
		case parameter != "":
			parameters[i] = "…"
		}
	}
	query := strings.Join(parameters, "&")
	u.RawQuery, u.Fragment, u.RawFragment = "", "", ""
	shown := strings.ReplaceAll(u.String(), url.PathEscape("…"), "…")
	if query != "" {
		shown += "?" + query
	}
	return short(shown)
}

// maxShown is how much is shown of a text of the provider's, in characters.
const maxShown = 300

// short cuts a text that is too long to be shown.
func short(s string) string {
	if runes := []rune(s); len(runes) > maxShown {
		return string(runes[:maxShown-1]) + "…"
	}
	return s
}

// WithParameter adds a parameter to the query of a URL.
func WithParameter(s, name, value string) string {
	separator := "?"
	if path, query, ok := strings.Cut(s, "?"); ok {
		s, separator = path+"?"+query, "&"
		if query == "" {
			separator = ""
		}
	}
	return s + separator + url.QueryEscape(name) + "=" + url.QueryEscape(value)
}

// Credentials lists what must not be shown of a subscription.
func (s *Subscription) Credentials() []string {
	hidden := []string{s.Token, s.BasicAuth.Username, s.BasicAuth.Password}
	if s.BasicAuth.Username != "" {
		hidden = append(hidden, s.BasicAuth.Username+":"+s.BasicAuth.Password)
	}
	for _, header := range s.Headers {
		hidden = append(hidden, header.Value)
	}
	return hidden
}

// differences lists what has to change in s to become want, in the fields that
// an API has. What the provider does not report is not compared.
func (s *Subscription) differences(api *API, want *Subscription) []Difference {
	var all []Difference
	for _, f := range fields {
		if f.differences != nil && api.Has(f.word) && s.reported[f.word] {
			all = append(all, f.differences(s, want)...)
		}
	}
	return all
}

// everything lists what a new subscription gets.
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

// textDifferences compares one text that may be shown.
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

// setDifferences compares texts whose order means nothing.
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

// hiddenDifferences compares what must not be shown.
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

// urlDifferences compares URLs, apart from how they are spelled.
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

// hasUser reports whether a URL holds a user name, which ours never does.
func hasUser(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.User != nil
}

func query(s string) url.Values {
	u, err := url.Parse(s)
	if err != nil {
		return nil
	}
	return u.Query()
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
