package subscription

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// tryTimeout is how long the URL of a subscription may take to answer when it is
// tried from here, where it may not be reachable at all.
const tryTimeout = 5 * time.Second

// Challenge describes the GET with which a provider tries a URL when a
// subscription is saved: the URL returns the challenge if the token is right.
type Challenge struct {
	// Parameter is the name of the query parameter with the challenge.
	Parameter string

	// Token is the name of the query parameter with the token.
	Token string
}

// errRejected is the error for a URL that checks credentials and rejects those
// of the block.
var errRejected = errors.New("rejects the credentials of this block (401); load this configuration into the gateway first, or check that `url` leads to this block")

// adviceURL is what to do about a URL that leads elsewhere.
const adviceURL = "check that `url` leads to this block"

// Try sends the URL the credentials that will be registered, before they are:
// events that the gateway rejects may be lost. It returns an error if the URL
// rejects them, and a note if it gives another answer or none: another server may
// answer calls from here.
func (t *Target) Try(ctx context.Context) (note string, err error) {
	if t.Challenge != nil {
		err = t.Challenge.try(ctx, t.Client, &t.Want)
	}
	if err == nil && t.Present != nil {
		err = t.tryCredentials(ctx)
	}
	switch {
	case errors.Is(err, errRejected):
		return "", fmt.Errorf("`url` %w", err)
	case err != nil:
		return "could not check that the gateway accepts these credentials: `url` " + err.Error(), nil
	}
	return "", nil
}

// try makes the call that the provider makes, and checks the answer. Its error
// is a predicate of the URL.
func (ch *Challenge) try(ctx context.Context, c *Client, s *Subscription) error {
	u, err := url.Parse(s.URL)
	if err != nil {
		return errors.New("cannot be called")
	}
	challenge := rand.Text()
	parameters := u.Query()
	parameters.Set(ch.Parameter, challenge)
	parameters.Set(ch.Token, s.Token)
	u.RawQuery = parameters.Encode()
	status, answer, err := c.visit(ctx, http.MethodGet, u.String(), nil, len(challenge)+1)
	switch {
	case status == http.StatusUnauthorized:
		return errRejected
	case err != nil:
		return err
	case status != http.StatusOK:
		return fmt.Errorf("answers the challenge with %d; %s", status, adviceURL)
	case answer != challenge:
		return errors.New("does not return the challenge; " + adviceURL)
	}
	return nil
}

// tryCredentials sends the provider's credentials without an event: a gateway
// that accepts them answers that an empty body is not JSON, and no application
// gets the request. Its error is a predicate of the URL.
func (t *Target) tryCredentials(ctx context.Context) error {
	prove := func(r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
		for _, h := range t.Want.Headers {
			r.Header.Add(h.Name, h.Value)
		}
		if auth := t.Want.BasicAuth; auth != (BasicAuth{}) {
			r.SetBasicAuth(auth.Username, auth.Password)
		}
		t.Present(r)
	}
	status, _, err := t.Client.visit(ctx, http.MethodPost, t.Want.URL, prove, 0)
	switch {
	case status == http.StatusUnauthorized:
		return errRejected
	case err != nil:
		return err
	case status != http.StatusBadRequest && !(t.TakesEmpty && status == http.StatusOK):
		return fmt.Errorf("answers a request without an event with %d; %s", status, adviceURL)
	}
	return nil
}

// visit calls a URL, after prepare (nil: nothing) has completed the request. It
// returns the status and at most most bytes of the answer; the status is 0 if
// there is none. Its error is a predicate of the URL.
func (c *Client) visit(ctx context.Context, method, to string, prepare func(*http.Request), most int) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, to, http.NoBody)
	if err != nil {
		return 0, "", errors.New("cannot be called")
	}
	if prepare != nil {
		prepare(r)
	}
	response, err := c.HTTP.Do(r)
	if err != nil {
		return 0, "", c.unreachable(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, int64(most)))
	if err != nil {
		return response.StatusCode, "", c.unreachable(err)
	}
	return response.StatusCode, string(content), nil
}

func (c *Client) unreachable(err error) error {
	return fmt.Errorf("cannot be reached from here (%s); start the gateway, or check `url`", c.Hide(cause(err)))
}
