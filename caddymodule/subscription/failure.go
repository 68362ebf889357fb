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

// errNotFound is the error for an id that the provider does not know.
var errNotFound = errors.New("it does not exist (404); run the command again, it checks first")

// rejectedError is the error for a request that the provider rejects for its
// content.
type rejectedError struct{ sentence string }

func (e *rejectedError) Error() string { return e.sentence }

// again returns what to do when the outcome of a call is unknown.
func (r request) again() string {
	if r.isWrite() {
		return "the outcome is unknown; run the command again, it checks first"
	}
	return "check `api`, or try again"
}

// broken returns the error for a call without an answer.
func (c *Client) broken(r request, err error) error {
	var netErr net.Error
	if errors.As(err, &netErr) && netErr.Timeout() {
		return fmt.Errorf("%s did not answer within %s; %s", c.URL, c.HTTP.Timeout, r.again())
	}
	return fmt.Errorf("the connection to %s failed (%s); %s", c.URL, c.Hide(cause(err)), r.again())
}

// cause returns an error of net/http without the URL, which may hold a
// credential.
func cause(err error) string {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err
	}
	return err.Error()
}

// kind describes an answer that is not JSON.
func kind(content []byte) string {
	if isPage(content) {
		return "a web page instead of JSON"
	}
	return "something that is not JSON"
}

func isPage(content []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(content), []byte("<")) }

// invalid returns the error for an answer that an API would not give.
func (c *Client) invalid(r request, what string) error {
	advice := "set `api` to the URL of the API, not of the dashboard"
	if r.isWrite() {
		advice += "; " + r.again()
	}
	return fmt.Errorf("%s returned %s; %s", c.URL, what, advice)
}

// rejected returns the error for an answer that is not 2xx.
func (c *Client) rejected(r request, response *http.Response, content []byte) error {
	status := response.StatusCode
	switch {
	case status == http.StatusUnauthorized:
		return fmt.Errorf("%s rejected the API token (401); check `key`", c.URL)
	case status == http.StatusForbidden:
		return fmt.Errorf("%s does not allow this with this API token (403); check `key`%s", c.URL, c.orAccount())
	case status == http.StatusNotFound && r.id != "":
		return errNotFound
	case status == http.StatusNotFound:
		return fmt.Errorf("%s has no %s (404); check `api`%s", c.URL, c.path(""), c.orAccount())
	case status == http.StatusTooManyRequests:
		return fmt.Errorf("%s got too many requests (429); try again %s", c.URL, retryWhen(response.Header.Get("Retry-After")))
	case status >= 500:
		advice := "try again later"
		if r.isWrite() {
			advice = r.again()
		}
		return fmt.Errorf("%s failed (%d%s); %s", c.URL, status, c.reason(content), advice)
	case status >= 300 && status <= 399:
		return fmt.Errorf("%s redirects (%d), which is not followed; set `api` to the URL of the API", c.URL, status)
	}
	return &rejectedError{fmt.Sprintf("%s rejected it (%d%s)", c.URL, status, c.reason(content))}
}

// orAccount adds the account to what to check, if the API has accounts.
func (c *Client) orAccount() string {
	if c.API.HasAccounts() {
		return " and `account`"
	}
	return ""
}

// retryWhen returns when to try again by a Retry-After header; see RFC 9110,
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

// reason returns the provider's message in an answer that is not 2xx, after a
// colon; "" if there is none.
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

// reasonMembers are the members in which APIs return messages.
var reasonMembers = []string{"message", "error", "errors", "detail", "details", "description", "status"}

// reasons collects the messages in an answer.
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
