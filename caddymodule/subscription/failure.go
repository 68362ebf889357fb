package subscription

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// errNotThere says that a subscription is not there.
var errNotThere = errors.New("it is not there (404); run the command again, it looks first")

// refusedError says that the provider does not accept what it was sent.
type refusedError struct{ sentence string }

func (e *refusedError) Error() string { return e.sentence }

// again is what to do when nothing is known of the outcome of a call.
func (r request) again() string {
	if r.isWrite() {
		return "whether it was done is not known: run the command again, it looks first"
	}
	return "check `api`, or try again"
}

// broken says why there is no answer.
func (c *Client) broken(r request, err error) error {
	var netErr net.Error
	if errors.As(err, &netErr) && netErr.Timeout() {
		return fmt.Errorf("%s did not answer within %s; %s", c.URL, c.HTTP.Timeout, r.again())
	}
	return fmt.Errorf("%s cannot be reached, or broke off (%s); %s", c.URL, c.Hide(cause(err)), r.again())
}

// cause is an error of net/http without the URL, which may hold a credential.
func cause(err error) string {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err
	}
	return err.Error()
}

// kind says what stands where JSON was expected.
func kind(content []byte) string {
	if isPage(content) {
		return "a web page instead of JSON"
	}
	return "something that is not JSON"
}

func isPage(content []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(content), []byte("<")) }

// notAsked says that an answer is not one of an API.
func (c *Client) notAsked(r request, what string) error {
	advice := "check `api`, which is not the address of the dashboard"
	if r.isWrite() {
		advice += "; " + r.again()
	}
	return fmt.Errorf("%s answers with %s; %s", c.URL, what, advice)
}

// refused says what an answer that is no 2xx means.
func (c *Client) refused(r request, response *http.Response, content []byte) error {
	status := response.StatusCode
	switch {
	case status == http.StatusUnauthorized:
		return fmt.Errorf("%s does not accept the API token (401); check `key`", c.URL)
	case status == http.StatusForbidden:
		return fmt.Errorf("%s does not let this API token do it (403); check `key`%s", c.URL, c.orAccount())
	case status == http.StatusNotFound && r.id != "":
		return errNotThere
	case status == http.StatusNotFound:
		return fmt.Errorf("%s has nothing at %s (404); check `api`%s", c.URL, c.path(""), c.orAccount())
	case status == http.StatusTooManyRequests:
		return fmt.Errorf("%s asks for a pause (429); try again %s", c.URL, retryWhen(response.Header.Get("Retry-After")))
	case status >= 500:
		advice := "try again later"
		if r.isWrite() {
			advice = r.again()
		}
		return fmt.Errorf("%s has a fault of its own (%d%s); %s", c.URL, status, c.reason(content), advice)
	case status >= 300 && status <= 399:
		return fmt.Errorf("%s answers with a redirect (%d), which is not followed; set `api` to where the API is", c.URL, status)
	}
	return &refusedError{fmt.Sprintf("%s does not accept it (%d%s)", c.URL, status, c.reason(content))}
}

// orAccount names the account among what to check.
func (c *Client) orAccount() string {
	if c.API.HasAccounts() {
		return " and `account`"
	}
	return ""
}

// retryWhen says when a Retry-After header lets one try again; see RFC 9110,
// section 10.2.3.
func retryWhen(header string) string {
	header = strings.TrimSpace(header)
	if date, err := http.ParseTime(header); err == nil {
		return "after " + date.UTC().Format("2006-01-02 15:04:05 MST")
	}
	if header != "" && len(header) <= 9 && strings.Trim(header, "0123456789") == "" {
		return "in " + header + " s"
	}
	return "later"
}

// reason returns what the provider says about a refusal, with a colon before it;
// "" for nothing.
func (c *Client) reason(content []byte) string {
	var answer any
	text := string(content)
	if json.Unmarshal(content, &answer) == nil {
		text = strings.Join(reasons(answer), ", ")
	} else if isPage(content) {
		return ""
	}
	if text = c.Hide(text); text == "" {
		return ""
	}
	return ": " + text
}

// reasonMembers are where APIs say what is wrong.
var reasonMembers = []string{"message", "error", "errors", "detail", "details", "description", "status"}

// reasons collects the texts in an answer that say what is wrong.
func reasons(answer any) []string {
	switch value := answer.(type) {
	case string:
		return nonEmpty(value)
	case []any:
		var texts []string
		for _, item := range value {
			texts = append(texts, reasons(item)...)
		}
		return texts
	case map[string]any:
		var texts []string
		for _, name := range reasonMembers {
			texts = append(texts, reasons(value[name])...)
		}
		if texts == nil {
			return reasons(value["type"])
		}
		return texts
	}
	return nil
}

// Hide returns a text of the provider's as it may be shown: on one line, not too
// long, and without a query, in which a token may stand. Of a text that repeats
// a credential, or a good part of one, nothing is shown; more are credentials
// besides the client's.
func (c *Client) Hide(text string, more ...string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || unicode.IsSpace(r) {
			return r
		}
		return -1
	}, text)
	// What is cut off need not be searched, which is slow.
	text = short(parameters.ReplaceAllString(strings.Join(strings.Fields(text), " "), "?…"))
	for _, credential := range slices.Concat([]string{c.Key}, c.Hidden, more) {
		if repeats(text, credential) {
			return "what it says is not shown, since it repeats a credential"
		}
	}
	return text
}

// parameters is the query of a URL.
var parameters = regexp.MustCompile(`\?[^\s"'<>]*=[^\s"'<>]*`)

// telling is how much of a credential tells something, in letters and digits.
const telling = 8

// repeats reports whether a text holds a credential in any of the spellings that
// an error can have it in, or a telling part of it, as what is cut short has.
func repeats(text, credential string) bool {
	texts := []string{text}
	for range 3 { // what repeats it may be repeated itself
		for _, unescape := range unescapings {
			texts = append(texts, unescape(text))
			text = texts[len(texts)-1]
		}
	}
	for _, unescape := range unescapings { // a credential may look as if it were escaped
		texts = append(texts, unescape(texts[0]))
	}
	forms := []string{credential, base64.StdEncoding.EncodeToString([]byte(credential))}
	for _, text := range texts {
		for _, form := range forms {
			if holds(text, form) {
				return true
			}
		}
	}
	return false
}

// unescapings undo what a text can be escaped with.
var unescapings = []func(string) string{
	html.UnescapeString,
	func(text string) string { return escaped.ReplaceAllStringFunc(text, unescape) },
	func(text string) string { return escapedUnit.ReplaceAllStringFunc(text, unescapeUnit) },
	func(text string) string { return strings.ReplaceAll(text, `\`, "") },
}

// escaped is a byte as a URL has it.
var escaped = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// escapedUnit is a character as JSON has it.
var escapedUnit = regexp.MustCompile(`\\u[0-9A-Fa-f]{4}`)

func unescapeUnit(escaped string) string {
	var unescaped string
	_ = json.Unmarshal([]byte(`"`+escaped+`"`), &unescaped) // one that is escaped is well-formed
	return unescaped
}

func unescape(escaped string) string {
	unescaped, _ := url.PathUnescape(escaped) // one that is escaped is well-formed
	return unescaped
}

// holds reports whether a text holds a telling part of another one, whatever the
// case, and whatever stands between the letters and digits. What is too short to
// tell something must stand there as a word.
func holds(text, part string) bool {
	telltale := string(lettersOf(part))
	if len(telltale) < telling {
		return part != "" && (slices.Contains(words(text), telltale) || len(part) > len(telltale) && strings.Contains(text, part))
	}
	letters := string(lettersOf(text))
	for i := 0; i+telling <= len(telltale); i++ {
		if strings.Contains(letters, telltale[i:i+telling]) {
			return true
		}
	}
	return false
}

// words returns the runs of letters and digits in a text, in lower case.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return len(lettersOf(string(r))) == 0 })
}

// lettersOf returns the letters and digits of ASCII in a text, in lower case,
// and all that is no ASCII.
func lettersOf(text string) []byte {
	var letters []byte
	for _, b := range []byte(strings.ToLower(text)) {
		if 'a' <= b && b <= 'z' || '0' <= b && b <= '9' || b >= 0x80 {
			letters = append(letters, b)
		}
	}
	return letters
}
