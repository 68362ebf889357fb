package subscription

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
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
