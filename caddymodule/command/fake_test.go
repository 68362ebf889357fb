package command

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// result is what a command prints, and its error.
type result struct {
	out, notes string
	err        error
}

// runOn runs a command on a gateway with this admin API, with a screen in place of a
// pipe.
func runOn(t *testing.T, ctx context.Context, api http.Handler, to screen, in string, command *cobra.Command, run func(adminClient, []string) error, args ...string) result {
	t.Helper()
	server := httptest.NewServer(api)
	defer server.Close()
	fl, rest := flagsOf(t, command, args...)
	var out, notes strings.Builder
	err := run(adminClient{
		ctx: ctx, in: strings.NewReader(in), w: &out, notes: &notes, screen: to, flags: fl,
		address: strings.TrimPrefix(server.URL, "http://"),
	}, rest)
	return result{out.String(), notes.String(), err}
}
