package caddymodule

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

func init() {
	caddy.RegisterModule(AdminAPI{})
}

const (
	// readyTimeout bounds the check of GET /webhooks/ready: load balancers do not
	// wait long.
	readyTimeout = 3 * time.Second

	// maxAdminBody is the longest body of a request, in bytes: some 25,000 ids.
	maxAdminBody = 1 << 20

	defaultDeadLimit = 100
	maxDeadLimit     = 1000
)

// AdminAPI serves what a running gateway can tell and be told about durable
// delivery, under /webhooks/ on Caddy's admin endpoint. As all of that endpoint
// it asks for no credentials.
type AdminAPI struct{}

// CaddyModule returns the Caddy module information.
func (AdminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.webhooks",
		New: func() caddy.Module { return new(AdminAPI) },
	}
}

// Routes returns the routes. Caddy labels its metrics with the patterns: they
// hold neither a method, so that a wrong one is answered in JSON, nor a name.
func (AdminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/webhooks/", Handler: caddy.AdminHandlerFunc(noSuchPage)},
		{Pattern: "/webhooks/ready", Handler: adminPage{http.MethodGet: ready}},
		{Pattern: "/webhooks/destinations", Handler: adminPage{http.MethodGet: onQueue(listDestinations)}},
		{Pattern: "/webhooks/dead", Handler: adminPage{
			http.MethodGet:    onQueue(listDead),
			http.MethodDelete: onQueue(discardSelected),
		}},
		{Pattern: "/webhooks/dead/{id}", Handler: adminPage{
			http.MethodGet:    onQueue(showDead),
			http.MethodDelete: onQueue(discardOne),
		}},
		{Pattern: "/webhooks/replay", Handler: adminPage{http.MethodPost: onQueue(replaySelected)}},
		{Pattern: "/webhooks/pause/{name}", Handler: adminPage{http.MethodPost: onQueue(pause)}},
		{Pattern: "/webhooks/resume/{name}", Handler: adminPage{http.MethodPost: onQueue(resume)}},
		{Pattern: "/webhooks/forget/{name}", Handler: adminPage{http.MethodPost: onQueue(forget)}},
	}
}

// What the API answers, beside queue.DestinationStatus.
type (
	readyAnswer struct {
		Ready bool `json:"ready"`
	}
	discardAnswer struct {
		Discarded int64 `json:"discarded"`
	}
	replayAnswer struct {
		Replayed int64 `json:"replayed"`
	}

	// deadLetter is a dead letter with what the destination was sent.
	deadLetter struct {
		queue.DeadLetter

		// Body is the body as it is if it is JSON, else a string with it.
		Body json.RawMessage `json:"body,omitempty"`
	}
)

// adminPage answers in JSON: by method, what makes the answer.
type adminPage map[string]func(r *http.Request) (answer any, err error)

// ServeHTTP implements caddy.AdminHandler. All errors are a caddy.APIError:
// Caddy logs its Err, and answers with its Message.
func (p adminPage) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	serve, ok := p[method]
	if !ok {
		allowed := strings.Join(p.methods(), ", ")
		w.Header().Set("Allow", allowed)
		return adminError(http.StatusMethodNotAllowed, "%s does not take %s; use %s", r.URL.Path, r.Method, allowed)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxAdminBody)
	answer, err := serve(r)
	if err != nil {
		return toAPIError(err)
	}
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false) // a body is shown as it was sent
	if err := encoder.Encode(answer); err != nil {
		return toAPIError(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encoded.Bytes()) // fails for a client that is gone
	return nil
}

func (p adminPage) methods() []string {
	methods := make([]string, 0, len(p))
	for method := range p {
		methods = append(methods, method)
	}
	slices.Sort(methods)
	return methods
}

func noSuchPage(_ http.ResponseWriter, r *http.Request) error {
	return adminError(http.StatusNotFound, "there is nothing at %.100s; use /webhooks/ and ready, destinations, dead, replay, pause, resume or forget", r.URL.Path)
}

// adminError returns an error whose text is for whoever made the request.
func adminError(status int, format string, args ...any) caddy.APIError {
	return caddy.APIError{HTTPStatus: status, Message: fmt.Sprintf(format, args...)}
}

// toAPIError returns what to answer for an error. What went wrong inside goes to
// the log only.
func toAPIError(err error) caddy.APIError {
	var known caddy.APIError
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &tooLong):
		return adminError(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes; send fewer ids at a time", tooLong.Limit)
	case errors.Is(err, queue.ErrUnknown):
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	case errors.Is(err, queue.ErrConfigured):
		return caddy.APIError{HTTPStatus: http.StatusConflict, Err: err}
	case errors.Is(err, queue.ErrUnavailable), errors.Is(err, queue.ErrClosed):
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err, Message: "the queue is not available; the log of Caddy says why"}
	default:
		return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err, Message: "that did not work; the log of Caddy says why"}
	}
}

// errNotRunning answers requests that come before the first configuration runs,
// or while Caddy shuts down.
var errNotRunning = adminError(http.StatusServiceUnavailable, "no configuration is running; try again in a moment")

// runningQueue returns the queue of the configuration that runs, nil if none of
// its blocks delivers durably.
//
// The context that Caddy provisions an admin module with is of no use for that:
// it serves requests while the apps of its configuration are still being made,
// which would race with them, and goes on when that configuration turns out to
// be a bad one and the one before stays.
func runningQueue() (*queue.Queue, error) {
	running := caddy.ActiveContext()
	if running.Context == nil {
		return nil, errNotRunning
	}
	app, err := running.AppIfConfigured("webhooks")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return app.(*App).openQueue(), nil
}

// onQueue hands the running queue to serve.
func onQueue(serve func(r *http.Request, q *queue.Queue) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		q, err := runningQueue()
		if err != nil {
			return nil, err
		}
		if q == nil {
			return nil, adminError(http.StatusNotFound, "no block of the configuration has a `destination`, so there is no queue")
		}
		return serve(r, q)
	}
}

// ready tells load balancers whether events are taken. Without a queue they
// always are.
func ready(r *http.Request) (any, error) {
	q, err := runningQueue()
	if err != nil || q == nil {
		return readyAnswer{true}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := q.Ready(ctx); err != nil {
		return nil, caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err, Message: "the queue takes no events now; the log of Caddy says why"}
	}
	return readyAnswer{true}, nil
}

func listDestinations(r *http.Request, q *queue.Queue) (any, error) {
	destinations, err := q.Status(r.Context())
	return orEmpty(destinations), err
}

func listDead(r *http.Request, q *queue.Queue) (any, error) {
	query, err := readQuery(r, "destination", "limit")
	if err != nil {
		return nil, err
	}
	limit, err := readLimit(query)
	if err != nil {
		return nil, err
	}
	if err := checkDestination(r.Context(), q, query.Get("destination")); err != nil {
		return nil, err
	}
	letters, err := q.DeadLetters(r.Context(), query.Get("destination"), limit)
	return orEmpty(letters), err
}

func showDead(r *http.Request, q *queue.Queue) (any, error) {
	key, query, err := readID(r)
	if err != nil {
		return nil, err
	}
	letters, err := q.DeadLettersOf(r.Context(), key)
	if err != nil && !errors.Is(err, queue.ErrUnknown) {
		return nil, err
	}
	var shown []deadLetter
	for _, letter := range letters {
		if destination := query.Get("destination"); destination == "" || destination == letter.Destination {
			shown = append(shown, deadLetter{letter, jsonBody(letter.Body)})
		}
	}
	if shown == nil {
		return nil, noDeadLetter(key)
	}
	return shown, nil
}

func discardOne(r *http.Request, q *queue.Queue) (any, error) {
	key, query, err := readID(r)
	if err != nil {
		return nil, err
	}
	selection := queue.Selection{Keys: []envelope.Key{key}, Destination: query.Get("destination")}
	if err := checkDestination(r.Context(), q, selection.Destination); err != nil {
		return nil, err
	}
	n, err := q.Discard(r.Context(), selection)
	if errors.Is(err, queue.ErrUnknown) {
		err = noDeadLetter(key)
	}
	return discardAnswer{n}, err
}

func discardSelected(r *http.Request, q *queue.Queue) (any, error) {
	selection, err := readSelection(r, "ids", "dead")
	if err != nil {
		return nil, err
	}
	if err := checkDestination(r.Context(), q, selection.Destination); err != nil {
		return nil, err
	}
	n, err := q.Discard(r.Context(), selection)
	return discardAnswer{n}, err
}

func replaySelected(r *http.Request, q *queue.Queue) (any, error) {
	selection, err := readSelection(r, "ids", "dead", "since")
	if err != nil {
		return nil, err
	}
	if err := checkDestination(r.Context(), q, selection.Destination); err != nil {
		return nil, err
	}
	n, err := q.Replay(r.Context(), selection)
	return replayAnswer{n}, err
}

func pause(r *http.Request, q *queue.Queue) (any, error) {
	name, err := readName(r, q)
	if err != nil {
		return nil, err
	}
	return struct{}{}, q.Pause(r.Context(), name)
}

func resume(r *http.Request, q *queue.Queue) (any, error) {
	name, err := readName(r, q)
	if err != nil {
		return nil, err
	}
	return struct{}{}, q.Resume(r.Context(), name)
}

func forget(r *http.Request, q *queue.Queue) (any, error) {
	name, err := readName(r, q)
	if err != nil {
		return nil, err
	}
	n, err := q.Forget(r.Context(), name)
	if errors.Is(err, queue.ErrConfigured) {
		err = adminError(http.StatusConflict, "%s is in use; remove the `destination` block from the configuration first", name)
	}
	return discardAnswer{n}, err
}

// readQuery returns the query. What is misspelt or empty must not be ignored: it
// would make a request mean more than was asked for.
func readQuery(r *http.Request, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, adminError(http.StatusBadRequest, "the query is malformed: %v", err)
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return nil, adminError(http.StatusBadRequest, "unknown parameter %.40q; use %s", name, cmp.Or(strings.Join(known, ", "), "none"))
		}
		if len(values) != 1 || values[0] == "" {
			return nil, adminError(http.StatusBadRequest, "the parameter %s takes one value; give it one, or leave it out", name)
		}
	}
	return query, nil
}

func readLimit(query url.Values) (int, error) {
	if !query.Has("limit") {
		return defaultDeadLimit, nil
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > maxDeadLimit {
		return 0, adminError(http.StatusBadRequest, "limit takes a number from 1 to %d", maxDeadLimit)
	}
	return limit, nil
}

// readID returns the event that the path names, and the query.
func readID(r *http.Request) (envelope.Key, url.Values, error) {
	query, err := readQuery(r, "destination")
	if err != nil {
		return envelope.Key{}, nil, err
	}
	key, err := parseKey(r.PathValue("id"))
	return key, query, err
}

func parseKey(id string) (envelope.Key, error) {
	key, err := envelope.ParseKey(id)
	if err != nil {
		return key, caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	}
	return key, nil
}

// readName returns the destination that the path names.
func readName(r *http.Request, q *queue.Queue) (string, error) {
	if _, err := readQuery(r); err != nil {
		return "", err
	}
	name := r.PathValue("name")
	return name, checkDestination(r.Context(), q, name)
}

// checkDestination refuses a name that no destination has, nor had. An empty one is
// all of them.
func checkDestination(ctx context.Context, q *queue.Queue, name string) error {
	if name == "" {
		return nil
	}
	destinations, err := q.Status(ctx)
	if err != nil {
		return err
	}
	return checkName(name, destinations)
}

func checkName(name string, destinations []queue.DestinationStatus) error {
	names := make([]string, 0, len(destinations))
	for _, destination := range destinations {
		names = append(names, destination.Destination)
	}
	switch {
	case slices.Contains(names, name):
		return nil
	case len(names) == 0:
		return adminError(http.StatusNotFound, "no `destination` is called %.100q: there is none", name)
	default:
		return adminError(http.StatusNotFound, "no `destination` is called %.100q; use one of %s", name, strings.Join(names, ", "))
	}
}

func noDeadLetter(key envelope.Key) error {
	return adminError(http.StatusNotFound, "there is no dead letter %s", key)
}

// selectionBody is a queue.Selection in JSON.
type selectionBody struct {
	IDs         []string `json:"ids,omitempty"`
	Dead        bool     `json:"dead,omitempty"`
	Since       string   `json:"since,omitempty"`
	Destination *string  `json:"destination,omitempty"`
}

// readSelection reads a selection that says which events by exactly one of the
// given ways.
func readSelection(r *http.Request, ways ...string) (queue.Selection, error) {
	if _, err := readQuery(r); err != nil {
		return queue.Selection{}, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return queue.Selection{}, err
	}
	selection, err := parseSelection(body, ways)
	if err != nil {
		return selection, caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	}
	return selection, nil
}

// parseSelection is strict: what is not understood must not select more than
// was meant.
func parseSelection(body []byte, ways []string) (s queue.Selection, err error) {
	read, err := decodeSelection(body)
	if err != nil {
		return s, fmt.Errorf("the body is not a selection, as {\"dead\":true,\"destination\":\"crm\"} is one: %w", err)
	}
	if given := read.ways(); len(given) != 1 || !slices.Contains(ways, given[0]) {
		return s, fmt.Errorf("say which events by exactly one of %s", strings.Join(ways, ", "))
	}
	if read.Destination != nil {
		if *read.Destination == "" {
			return s, errors.New("destination is empty; name a destination, or leave it out for all")
		}
		s.Destination = *read.Destination
	}
	s.Dead = read.Dead
	if read.Since != "" {
		if s.Since, err = parseTime(read.Since); err != nil {
			return s, fmt.Errorf("since: %w", err)
		}
	}
	s.Keys, err = parseKeys(read.IDs)
	return s, err
}

func decodeSelection(body []byte) (read selectionBody, err error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err == io.EOF {
		return read, errors.New("it is empty")
	} else if err != nil {
		return read, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return read, errors.New("something follows it")
	}
	return read, nil
}

// ways names the ways in which events are selected.
func (b selectionBody) ways() []string {
	var given []string
	if len(b.IDs) > 0 {
		given = append(given, "ids")
	}
	if b.Dead {
		given = append(given, "dead")
	}
	if b.Since != "" {
		given = append(given, "since")
	}
	return given
}

// parseKeys returns each key once, so that nothing is counted twice.
func parseKeys(ids []string) ([]envelope.Key, error) {
	var keys []envelope.Key
	seen := make(map[envelope.Key]bool, len(ids))
	for _, id := range ids {
		key, err := envelope.ParseKey(id)
		if err != nil {
			return nil, err
		}
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// parseTime reads a time at which an event can have come in.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("%.40q is not a time in RFC 3339, as 2026-01-02T15:04:05Z is one", s)
	}
	// What lies outside does not fit into 64 bits of nanoseconds either.
	if t.Year() < 1970 || t.Year() > 2261 {
		return t, fmt.Errorf("no event came in in the year %d; check the time", t.Year())
	}
	return t, nil
}

// jsonBody returns a body as a JSON value.
func jsonBody(body []byte) json.RawMessage {
	if len(body) == 0 || json.Valid(body) && utf8.Valid(body) {
		return body
	}
	quoted, _ := json.Marshal(string(body)) // never fails for a string
	return quoted
}

// orEmpty makes no list an empty one, which JSON tells apart.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Interface guard
var _ caddy.AdminRouter = AdminAPI{}
