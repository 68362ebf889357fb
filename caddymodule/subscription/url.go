package subscription

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// CheckURL checks that a URL can be called, and that a provider has no reason to
// spell it in another way. Its errors do not repeat the URL, which may hold a
// credential.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return errors.New("must be a URL with https:// or http:// and a host")
	}
	if u.User != nil {
		return errors.New("has a user name before an @; remove it")
	}
	if err := checkSpelling(u); err != nil {
		return err
	}
	if u.Fragment != "" || strings.HasSuffix(s, "#") {
		return errors.New("has a fragment after a #, which is never sent; remove it")
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil {
		return errors.New("has an invalid query; escape its values")
	}
	return nil
}

// checkSpelling refuses a URL that a provider may store in another spelling: it
// would be another URL then.
func checkSpelling(u *url.URL) error {
	isOther := func(r rune) bool { return r > '~' }
	switch host := u.Hostname(); {
	case strings.ContainsFunc(host, isOther):
		return errors.New("has a host that is not ASCII; use the form that begins with xn--")
	case strings.HasSuffix(host, "."):
		return errors.New("has a host that ends with a dot; remove the dot")
	}
	for _, segment := range strings.Split(u.Path, "/") {
		if segment == "." || segment == ".." {
			return errors.New("has a dot segment in its path; use the path that it resolves to")
		}
	}
	return nil
}

// CheckAPI checks the URL of an API: one that CheckURL accepts, without a query.
func CheckAPI(s string) error {
	if strings.Contains(s, "?") {
		return errors.New("has a query after a ?; give only the URL of the API, such as https://api.example.com")
	}
	return CheckURL(s)
}

// IsSamePlace reports whether two URLs are equal except for their queries and
// fragments, in whatever spelling.
func IsSamePlace(a, b string) bool { return place(a) != "" && place(a) == place(b) }

// place returns a URL without query and fragment in one spelling, "" if it is
// not a URL with a host.
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

// escaped matches a byte that is escaped in a URL.
var escaped = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// normalized returns an escaped byte in the form that RFC 3986, section 6.2.2,
// prefers: unescaped if it need not be escaped, with upper-case digits otherwise.
func normalized(escaped string) string {
	b, _ := url.PathUnescape(escaped) // cannot fail: it is one escaped byte
	if strings.ContainsAny(b, "-._~") || strings.ContainsFunc(b, isLetterOrDigit) {
		return b
	}
	return strings.ToUpper(escaped)
}

func isLetterOrDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// ShownURL returns a URL as it may be shown: "…" replaces the values in its
// query and the user, which may be credentials, and there is no fragment. It is
// at most maxShown characters long.
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
		case hasValue && strings.Trim(value, "=") != "": // else the padding of base64 without a name
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

// hasUser reports whether a URL holds a user name, which ours never does.
func hasUser(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.User != nil
}

// query returns the parameters in the query of a URL, nil if it is not a URL.
func query(s string) url.Values {
	u, err := url.Parse(s)
	if err != nil {
		return nil
	}
	return u.Query()
}

// isPlain reports whether calling a URL sends plain text over a network.
func isPlain(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}
