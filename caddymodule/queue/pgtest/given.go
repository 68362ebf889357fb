package pgtest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"
)

// givenDSN is the environment variable with the DSN, a URL, of a server that is running
// already, such as one with an extension. Start returns it instead of a new one, and each
// Database is a schema of the database that the DSN names. A test that stops, changes or
// copies its server is skipped.
const givenDSN = "PGTEST_DSN"

// given returns the running server that the environment names, or nil.
func given(t testing.TB) *Server {
	t.Helper()
	dsn := os.Getenv(givenDSN)
	if dsn == "" {
		return nil
	}
	u, err := url.Parse(dsn)
	if err != nil || u.Host == "" {
		t.Fatalf("pgtest: %s is not a URL with a host", givenDSN)
	}
	return &Server{given: u}
}

// IsGiven reports whether the server was running before the test, and goes on after it.
func (s *Server) IsGiven() bool { return s.given != nil }

// own skips the test unless the server is the test's own.
func (s *Server) own(t testing.TB) {
	t.Helper()
	if s.IsGiven() {
		t.Skipf("pgtest: it needs a server of its own, and %s names one", givenDSN)
	}
}

// schema creates a schema in the database of a server that was running, and returns a
// DSN that leads to it. The schema is dropped at the end of the test.
func (s *Server) schema(t testing.TB) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text()[:12])
	if err := query(context.Background(), s.given.String(), nil, "CREATE SCHEMA "+name); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		// A queue of several logs has added others, which begin with its name.
		var all string
		err := query(context.Background(), s.given.String(), &all, "SELECT string_agg(nspname, ', ') FROM pg_namespace WHERE starts_with(nspname, $1)", name)
		if err == nil {
			err = query(context.Background(), s.given.String(), nil, "DROP SCHEMA "+all+" CASCADE")
		}
		if err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	u := *s.given
	parameters := u.Query()
	parameters.Set("search_path", name)
	u.RawQuery = parameters.Encode()
	return u.String()
}
