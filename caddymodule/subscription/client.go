package subscription

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// DefaultTimeout is how long each call of an API may take by default.
const DefaultTimeout = 30 * time.Second

// maxAnswer is the maximum length of an answer, in bytes.
const maxAnswer = 1 << 20

// Client calls the API of one account at one provider. List, Get, Create, Update
// and Delete make one call each. Their errors are one line with a remedy, and
// hold no credential.
type Client struct {
	// API describes the API. Required.
	API *API

	// URL is the URL of the API, without the path. Required.
	URL string

	// Account is the account, if API.HasAccounts.
	Account string

	// Key is the API token.
	Key string

	// Hidden lists credentials, in addition to Key, that must not be shown when the
	// provider repeats them.
	Hidden []string

	// HTTP makes the calls; see NewHTTPClient. Required.
	HTTP *http.Client
}

// NewHTTPClient returns a client for an API, of which each call takes at most
// timeout. It does not follow redirects: they would get the API token.
func NewHTTPClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// List returns all subscriptions of the account. For an API with Get, they lack
// the fields that only Get returns.
func (c *Client) List(ctx context.Context) ([]Subscription, error) {
	answer, err := c.call(ctx, request{"list subscriptions", http.MethodGet, "", nil})
	if err != nil {
		return nil, err
	}
	list, err := c.API.readList(answer)
	if err != nil {
		return nil, fmt.Errorf("cannot list subscriptions: %s returned %w; check `api`", c.URL, err)
	}
	return list, nil
}

// readList reads the answer to a list.
func (a *API) readList(answer []byte) ([]Subscription, error) {
	array := json.RawMessage(answer)
	if a.List != ListIsAnswer {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(answer, &members); err != nil {
			return nil, fmt.Errorf("something other than an object with %s", a.List)
		}
		array = members[a.List]
	}
	var items []json.RawMessage
	if err := json.Unmarshal(array, &items); err != nil || items == nil {
		return nil, errors.New("something other than a list")
	}
	list := make([]Subscription, 0, len(items))
	ids := make(map[string]bool, len(items))
	for _, item := range items {
		s, err := a.read(item)
		if err != nil {
			return nil, err
		}
		if !ids[s.ID] { // a provider may list one twice that has just moved
			list = append(list, s)
		}
		ids[s.ID] = true
	}
	fillReported(list)
	return list, nil
}

// fillReported marks a field that some of a list have as reported, and empty, in
// those that lack it: the provider leaves it out where it has no value.
func fillReported(list []Subscription) {
	for _, f := range fields {
		if f.differences == nil || !slices.ContainsFunc(list, func(s Subscription) bool { return s.reported[f.word] }) {
			continue
		}
		for _, s := range list {
			if _, ok := s.reported[f.word]; !ok {
				s.reported[f.word] = true
			}
		}
	}
}

// Get returns the subscription with an id, with all fields.
func (c *Client) Get(ctx context.Context, id string) (Subscription, error) {
	does := "read subscription " + id
	answer, err := c.call(ctx, request{does, http.MethodGet, id, nil})
	if err != nil {
		return Subscription{}, err
	}
	s, err := c.API.read(answer)
	if err == nil && s.ID != id {
		err = errors.New("another subscription")
	}
	if err != nil {
		return s, fmt.Errorf("cannot %s: %s returned %w; check `api`", does, c.URL, err)
	}
	return s, nil
}

// Create creates a subscription.
func (c *Client) Create(ctx context.Context, s *Subscription) error {
	_, err := c.call(ctx, request{"create a subscription", http.MethodPost, "", c.API.writeAll(s)})
	return err
}

// Update changes the subscription with an id. With Patch it sends the fields in
// words, with Put all.
func (c *Client) Update(ctx context.Context, id string, s *Subscription, words []string) error {
	method, body := http.MethodPatch, c.API.write(s, words)
	if c.API.Update == Put {
		method, body = http.MethodPut, c.API.writeAll(s)
	}
	_, err := c.call(ctx, request{"update subscription " + id, method, id, body})
	return err
}

// Delete removes the subscription with an id. It is not an error if there is
// none.
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := c.call(ctx, request{"delete subscription " + id, http.MethodDelete, id, nil})
	if errors.Is(err, errNotFound) {
		return nil
	}
	return err
}

// request is one call.
type request struct {
	does   string // for errors: cannot <does>
	method string
	id     string // "": of the path for all
	body   any    // nil: none
}

// isWrite reports whether a call with an unknown outcome may have changed
// something.
func (r request) isWrite() bool { return r.method != http.MethodGet }

// call makes a call and returns the answer: JSON, or nothing for a change.
func (c *Client) call(ctx context.Context, r request) ([]byte, error) {
	answer, err := c.exchange(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("cannot %s: %w", r.does, err)
	}
	return answer, nil
}

func (c *Client) exchange(ctx context.Context, r request) ([]byte, error) {
	call, err := c.request(ctx, r)
	if err != nil {
		return nil, err
	}
	response, err := c.HTTP.Do(call)
	if err != nil {
		return nil, c.broken(r, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case response.StatusCode < 200 || response.StatusCode > 299:
		return nil, c.rejected(r, response, content)
	case err != nil:
		return nil, c.broken(r, err)
	case len(content) > maxAnswer:
		return nil, c.invalid(r, fmt.Sprintf("more than %d MiB", maxAnswer>>20))
	case len(bytes.TrimSpace(content)) == 0 && r.isWrite():
		return nil, nil
	case !json.Valid(content):
		return nil, c.invalid(r, kind(content))
	}
	return content, nil
}

// request makes the HTTP request of a call.
func (c *Client) request(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader = http.NoBody
	if r.body != nil {
		content, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(content)
	}
	call, err := http.NewRequestWithContext(ctx, r.method, c.base()+c.path(r.id), body)
	if err != nil {
		return nil, errors.New("the URL of the API is invalid; check `api` and `account`")
	}
	call.Header.Set("Accept", "application/json")
	call.Header.Set("User-Agent", "caddy-webhooks")
	if r.body != nil {
		call.Header.Set("Content-Type", "application/json")
	}
	if c.API.Key.Bearer {
		call.Header.Set("Authorization", "Bearer "+c.Key)
	} else {
		call.Header[c.API.Key.Header] = []string{c.Key} // keep the provider's spelling
	}
	return call, nil
}

// base returns the URL without the path.
func (c *Client) base() string { return strings.TrimSuffix(c.URL, "/") }

// path returns the path of the subscription with an id, or of all for "".
func (c *Client) path(id string) string {
	path := strings.ReplaceAll(c.API.Path, accountVariable, url.PathEscape(c.Account))
	if id != "" {
		path += "/" + url.PathEscape(id)
	}
	return path
}
