package console

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAccess(t *testing.T) {
	verified := func(name string) *tls.ConnectionState {
		c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, SerialNumber: big.NewInt(0xab)}
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}, VerifiedChains: [][]*x509.Certificate{{c}}}
	}
	unverified := verified("eve")
	unverified.VerifiedChains = nil
	for name, c := range map[string]struct {
		user     string
		tls      *tls.ConnectionState
		insecure bool
		status   int
		text     string
	}{
		"a user":                     {user: "ana", status: 200, text: "ana"},
		"nobody":                     {status: 403, text: "basic_auth"},
		"a verified certificate":     {tls: verified("bob"), status: 200, text: "bob"},
		"one without a name":         {tls: verified(""), status: 200, text: "certificate ab"},
		"one that was not verified":  {tls: unverified, status: 403, text: "client_auth"},
		"TLS without a certificate":  {tls: new(tls.ConnectionState), status: 403, text: "forward_auth"},
		"nobody where that is meant": {insecure: true, status: 200, text: "no login"},
	} {
		s := newSite(t, busy())
		s.handler.Insecure = c.insecure
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.TLS = c.tls
		w := s.do(c.user, r)
		if body := w.Body.String(); w.Code != c.status || !strings.Contains(body, c.text) {
			t.Errorf("%s: %d, want %d and %s in\n%s", name, w.Code, c.status, c.text, body)
		} else if c.status == 403 && (strings.Contains(body, "crm") || strings.Contains(body, "token")) {
			t.Errorf("%s: the page for strangers says too much:\n%s", name, body)
		}
	}
	// Strangers get the style sheet of the page that they see, and nothing else.
	s := newSite(t, busy())
	for path, want := range map[string]int{
		"/assets/" + styleSheet.name: 200, "/events": 403, "/events/" + firstKey.String() + "/original": 403, "/feed": 403, "/jobs/x": 403, "/nothing": 403,
	} {
		if got := s.do("", httptest.NewRequest(http.MethodGet, path, nil)).Code; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got := s.do("", httptest.NewRequest(http.MethodPost, "/pause", nil)).Code; got != 403 || s.fake.changed() != "" {
		t.Errorf("a stranger pauses: %d", got)
	}
}

func TestMethods(t *testing.T) {
	s := newSite(t, busy())
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodHead, "/", 200, ""},
		{http.MethodPost, "/", 405, "GET, HEAD"},
		{http.MethodPut, "/events", 405, "GET, HEAD"},
		{http.MethodPost, "/feed", 405, "GET, HEAD"},
		{http.MethodGet, "/pause", 405, "POST"},
		{http.MethodGet, "/discard", 405, "POST"},
		{http.MethodPost, "/assets/" + script.name, 405, "GET, HEAD"},
		{http.MethodDelete, "/events/" + firstKey.String(), 405, "GET, HEAD"},
	} {
		w := s.do("ana", httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", c.method, c.path, w.Code, w.Header().Get("Allow"), c.status, c.allow)
		}
	}
}
