package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const (
	// readTimeout is how long a page waits for the queue.
	readTimeout = 5 * time.Second

	// changeTimeout is how long a change waits for the queue.
	changeTimeout = 15 * time.Second

	// maxQuery is the length of the longest query, in bytes: all filters, as long as they
	// may be. Pages repeat it in many links.
	maxQuery = 64 << 10

	// maxForm is the size of the longest form, in bytes: a selection of some 15,000
	// dead letters.
	maxForm = 1 << 20
)

// policy is the Content-Security-Policy of every page.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// visit is one request to the console.
type visit struct {
	*Handler
	w http.ResponseWriter
	r *http.Request
	route

	user    string
	journal reader
}

// serve answers the request.
func (v *visit) serve() {
	h := v.w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if v.name == "asset" {
		if v.takes(http.MethodGet) {
			v.asset()
		}
		return
	}
	if v.user = userOf(v.r); v.user == "" && !v.Insecure {
		v.render(http.StatusForbidden, page{name: "forbidden", Title: "Who are you?"})
		return
	}
	if err := v.answer(); err != nil {
		v.fail(err)
	}
}

// answer serves what the route names.
func (v *visit) answer() (err error) {
	pages := map[string]func(context.Context) (page, error){
		"overview": v.overview, "events": v.events, "event": v.event,
		"dead": v.dead, "refusals": v.refusals, "job": v.job,
	}
	show := pages[v.name]
	switch {
	case len(v.r.URL.RawQuery) > maxQuery:
		return newFailure(http.StatusRequestURITooLong, "Too long", "The address of this page is too long. Begin at the overview.")
	case v.name == "":
		return notFound
	case isChange[v.name]:
		if !v.takes(http.MethodPost) {
			return nil
		}
	case !v.takes(http.MethodGet):
		return nil
	case v.name == "overview" && v.lacksSlash():
		v.moveTo("./" + path.Base(v.originalPath()) + "/")
		return nil
	case v.name == "slashed":
		v.moveTo("../" + v.arg)
		return nil
	}
	if v.journal, err = v.source(); err != nil {
		return v.failureOf(v.r.Context(), err)
	}
	switch {
	case isChange[v.name]:
		return v.change()
	case v.name == "feed":
		return v.feed()
	case v.name == "body":
		return v.body()
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), v.patience)
	defer cancel()
	p, err := show(ctx)
	var elsewhere *moved
	switch {
	case errors.As(err, &elsewhere):
		v.redirect(elsewhere.to)
	case err != nil:
		return v.failureOf(ctx, err)
	default:
		v.render(http.StatusOK, p)
	}
	return nil
}

// takes reports whether the request has a method; GET includes HEAD. Otherwise it
// answers with what to use.
func (v *visit) takes(method string) bool {
	allowed := method
	if method == http.MethodGet {
		allowed = "GET, HEAD"
	}
	if v.r.Method == method || method == http.MethodGet && v.r.Method == http.MethodHead {
		return true
	}
	v.w.Header().Set("Allow", allowed)
	v.fail(newFailure(http.StatusMethodNotAllowed, "Not this way", "This address takes "+allowed+" only. Begin at the overview."))
	return false
}

// originalPath returns the path that the client asked for.
func (v *visit) originalPath() string {
	if r, ok := v.r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && r.URL != nil {
		return r.URL.Path
	}
	return v.r.URL.Path
}

// lacksSlash reports whether the client asked for the place of the console without the
// slash at its end, without which relative links lead elsewhere.
func (v *visit) lacksSlash() bool {
	asked := v.originalPath()
	return asked != "" && asked[len(asked)-1] != '/'
}

// moveTo answers with the right address of a page, relative to the one that the client
// asked for: a path of the client's own may begin with the name of another host.
func (v *visit) moveTo(relative string) {
	to := url.URL{Path: relative, RawQuery: v.r.URL.RawQuery}
	v.w.Header().Set("Location", to.String())
	v.w.WriteHeader(http.StatusPermanentRedirect)
}
