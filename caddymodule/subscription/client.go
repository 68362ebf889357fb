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

// DefaultTimeout is how long each call of an API may take when nothing else is
// said.
const DefaultTimeout = 30 * time.Second

// maxAnswer is the longest answer that is read, in bytes.
const maxAnswer = 1 << 20

// Client calls the API of one account at one provider. Each method makes one
// call. Its errors are a sentence each, which says what to do and holds no
// credential.
type Client struct {
	// API describes it.
	API *API

	// URL is where it is.
	URL string

	// Account is the account, for an API that has them.
	Account string

	// Key is the API token.
	Key string

	// Hidden are credentials that must not be shown when the provider repeats
	// them, in addition to Key.
	Hidden []string

	// HTTP makes the calls; see NewHTTPClient. Required.
	HTTP *http.Client
}

// NewHTTPClient returns what calls an API. It follows no redirect: the API token
// would go to wherever that leads.
func NewHTTPClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// List returns all subscriptions of the account. For an API with Get, they lack
// what only that shows.
func (c *Client) List(ctx context.Context) ([]Subscription, error) {
	answer, err := c.call(ctx, request{"list subscriptions", http.MethodGet, "", nil})
	if err != nil {
		return nil, err
	}
	list, err := c.API.readList(answer)
	if err != nil {
		return nil, fmt.Errorf("cannot list subscriptions: %s answers with %w; check `api`", c.URL, err)
	}
	return list, nil
}

// readList reads the answer to a list.
func (a *API) readList(answer []byte) ([]Subscription, error) {
	array := json.RawMessage(answer)
	if a.List != ListIsAnswer {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(answer, &members); err != nil {
			return nil, fmt.Errorf("something else than an object with %s", a.List)
		}
		array = members[a.List]
	}
	var items []json.RawMessage
	if err := json.Unmarshal(array, &items); err != nil || items == nil {
		return nil, errors.New("something else than a list")
	}
	list := make([]Subscription, 0, len(items))
	ids := make(map[string]bool, len(items))
	for _, item := range items {
		s, err := a.read(item)
		if err != nil {
			return nil, err
		}
		if !ids[s.ID] { // one that is moved meanwhile can be there twice
			list = append(list, s)
		}
		ids[s.ID] = true
	}
	fillReported(list)
	return list, nil
}

// fillReported takes a field that only some of a list have as empty in the others:
// the provider reports it where there is one.
func fillReported(list []Subscription) {
	for _, f := range fields {
		if f.differences == nil || !slices.ContainsFunc(list, func(s Subscription) bool { return s.reported[f.word] }) {
			continue
		}
		for _, s := range list {
			if _, isThere := s.reported[f.word]; !isThere {
				s.reported[f.word] = true
			}
		}
	}
}

// Get returns one subscription, with all that the API reports.
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
		return s, fmt.Errorf("cannot %s: %s answers with %w; check `api`", does, c.URL, err)
	}
	return s, nil
}

// Create makes a subscription.
func (c *Client) Create(ctx context.Context, s *Subscription) error {
	_, err := c.call(ctx, request{"create a subscription", http.MethodPost, "", c.API.writeAll(s)})
	return err
}

// Update changes a subscription: with PATCH the fields of words, with PUT all of
// them.
func (c *Client) Update(ctx context.Context, id string, s *Subscription, words []string) error {
	method, body := http.MethodPatch, c.API.write(s, words)
	if c.API.Update == Put {
		method, body = http.MethodPut, c.API.writeAll(s)
	}
	_, err := c.call(ctx, request{"update subscription " + id, method, id, body})
	return err
}

// Delete removes a subscription. One that is not there is removed.
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := c.call(ctx, request{"delete subscription " + id, http.MethodDelete, id, nil})
	if errors.Is(err, errNotThere) {
		return nil
	}
	return err
}

// request is one call, and what it is to do, in words.
type request struct {
	does   string
	method string
	id     string // "" for all
	body   any    // nil for none
}

// isWrite reports whether the call may have changed something when nothing is
// known of its outcome.
func (r request) isWrite() bool { return r.method != http.MethodGet }

// call makes a call and returns the answer, which is JSON, or empty where a
// change needs none.
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
		return nil, c.refused(r, response, content)
	case err != nil:
		return nil, c.broken(r, err)
	case len(content) > maxAnswer:
		return nil, c.notAsked(r, fmt.Sprintf("more than %d MiB", maxAnswer>>20))
	case len(bytes.TrimSpace(content)) == 0 && r.isWrite():
		return nil, nil
	case !json.Valid(content):
		return nil, c.notAsked(r, kind(content))
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
		return nil, errors.New("the URL of the API cannot be called; check `api` and `account`")
	}
	call.Header.Set("Accept", "application/json")
	call.Header.Set("User-Agent", "caddy-webhooks")
	if r.body != nil {
		call.Header.Set("Content-Type", "application/json")
	}
	if c.API.Key.Bearer {
		call.Header.Set("Authorization", "Bearer "+c.Key)
	} else {
		call.Header[c.API.Key.Header] = []string{c.Key} // as the provider writes it
	}
	return call, nil
}

// base is the URL before the path.
func (c *Client) base() string { return strings.TrimSuffix(c.URL, "/") }

// path returns the path of one subscription, or of all.
func (c *Client) path(id string) string {
	path := strings.ReplaceAll(c.API.Path, accountVariable, url.PathEscape(c.Account))
	if id != "" {
		path += "/" + url.PathEscape(id)
	}
	return path
}
