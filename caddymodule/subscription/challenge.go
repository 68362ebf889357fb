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

// tryTimeout is how long a URL may take to answer when it is tried from here,
// from where it may not be reachable at all.
const tryTimeout = 5 * time.Second

// Challenge is the GET with which a provider tries a URL when a subscription is
// saved: the URL answers with the challenge if the token is right.
type Challenge struct {
	// Parameter is the name of the query parameter with the challenge.
	Parameter string

	// Token is that of the parameter with the token.
	Token string
}

// errRefused says that who is reached checks proofs, and refuses this one.
var errRefused = errors.New("does not accept what is to be registered (401); load this configuration into the gateway first, or check that `url` leads to this block")

// adviceURL is what to do about a URL that leads elsewhere.
const adviceURL = "check that `url` leads to this block"

// try makes the call that the provider makes, and checks the answer. Its error
// says what the URL does instead.
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
		return errRefused
	case err != nil:
		return err
	case status != http.StatusOK:
		return fmt.Errorf("answers the challenge with %d; %s", status, adviceURL)
	case answer != challenge:
		return errors.New("answers the challenge with something else; " + adviceURL)
	}
	return nil
}

// tryProof sends what proves the provider, and nothing else: a gateway that
// accepts the proof says that nothing is not JSON, and no application sees it.
func (t *Target) tryProof(ctx context.Context) error {
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
		return errRefused
	case err != nil:
		return err
	case status != http.StatusBadRequest && !(t.TakesEmpty && status == http.StatusOK):
		return fmt.Errorf("answers a request without an event with %d; %s", status, adviceURL)
	}
	return nil
}

// visit calls the URL that is registered, and returns the beginning of what it
// answers.
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
		return 0, "", unreachable(c, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, int64(most)))
	if err != nil {
		return response.StatusCode, "", unreachable(c, err)
	}
	return response.StatusCode, string(content), nil
}

func unreachable(c *Client, err error) error {
	return fmt.Errorf("cannot be reached from here (%s); start the gateway, or check `url`", c.Hide(cause(err)))
}
