package subscription

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Challenge is the GET with which a provider tries a URL when a subscription is
// saved: the URL answers with the challenge if the token is right.
type Challenge struct {
	// Parameter is the name of the query parameter with the challenge.
	Parameter string

	// Token is that of the parameter with the token.
	Token string
}

// unreachableError says that a URL could not be tried from here.
type unreachableError struct{ why string }

func (e *unreachableError) Error() string { return "cannot be reached from here (" + e.why + ")" }

// Try makes the call that the provider makes, and checks the answer. Its error
// says what the URL does instead.
func (ch *Challenge) Try(ctx context.Context, c *Client, s *Subscription) error {
	u, err := url.Parse(s.URL)
	if err != nil {
		return errors.New("cannot be called")
	}
	challenge := rand.Text()
	parameters := u.Query()
	parameters.Set(ch.Parameter, challenge)
	parameters.Set(ch.Token, s.Token)
	u.RawQuery = parameters.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return errors.New("cannot be called")
	}
	response, err := c.HTTP.Do(r)
	if err != nil {
		return &unreachableError{c.Hide(cause(err))}
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, int64(len(challenge))+1))
	switch {
	case response.StatusCode == http.StatusUnauthorized:
		return errors.New("does not accept the token (401); load this configuration into the gateway")
	case response.StatusCode >= 300 && response.StatusCode <= 399:
		return fmt.Errorf("answers the challenge with a redirect (%d); give `url` the address that it leads to", response.StatusCode)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("answers the challenge with %d; check that `url` leads to this block", response.StatusCode)
	case err != nil || string(answer) != challenge:
		return errors.New("answers the challenge with something else; check that `url` leads to this block")
	}
	return nil
}
