package command

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

//go:embed demo.caddyfile
var demoCaddyfile string

// Variables of demo.caddyfile.
const (
	demoSecret     = "WEBHOOKS_DEMO_SECRET"
	demoSigningKey = "WEBHOOKS_DEMO_SIGNING_KEY"
	demoGateway    = "WEBHOOKS_DEMO_GATEWAY"
	demoReceiver   = "WEBHOOKS_DEMO_RECEIVER"
	demoStorage    = "WEBHOOKS_DEMO_STORAGE"
)

func demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Shows the whole way on this machine: providers, the gateway, a receiver",
		Long: `
Runs a gateway and a receiver on loopback, sends one signed delivery per provider,
then a duplicate, a forgery and a stale one, and says what became of each. At the
end the receiver goes down, three events come in, the gateway is restarted and the
receiver comes back. The exit status is 0 if all went as it should.

With --keep it goes on running until it is interrupted; set ` + demoSecret + `
before, to send to it with a secret that you know.`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolP("verbose", "v", false, "Show the envelopes that the receiver got")
	cmd.Flags().Bool("keep", false, "Go on running afterwards")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(fl caddycmd.Flags) (int, error) {
			if err := runDemo(cmd.OutOrStdout(), fl.Bool("verbose"), fl.Bool("keep")); err != nil {
				return exitError(err)
			}
			return 0, nil
		})(cmd, args)
	}
	return cmd
}

func runDemo(w io.Writer, verbose, keep bool) error {
	d, err := startDemo(w, verbose)
	if err != nil {
		return err
	}
	defer d.stop()
	if err := d.run(); err != nil {
		return err
	}
	if !keep {
		return nil
	}
	fmt.Fprintf(w, "\nStill running; interrupt to end. Send more from another terminal:\n  caddy webhooks send notifly --to %s/notifly --secret {env.%s}\n", d.gateway, demoSecret)
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-interrupted.Done()
	return nil
}

// demo is a gateway and a receiver on loopback.
type demo struct {
	w       io.Writer
	verbose bool

	gateway  string // URL
	config   []byte // of the gateway, in JSON
	storage  string // directory
	server   *http.Server
	receiver *demoApplication
	creds    credentials
	own      map[string]*provider.Provider // those of demo.caddyfile
	failed   int
}

// startDemo starts both.
func startDemo(w io.Writer, verbose bool) (*demo, error) {
	signingKey := envelope.SigningKeyPrefix + base64.StdEncoding.EncodeToString(randomBytes(32))
	secret := os.Getenv(demoSecret)
	if secret == "" {
		secret = base64.RawURLEncoding.EncodeToString(randomBytes(24))
	}
	d := &demo{w: w, verbose: verbose, creds: credentials{secret: secret, token: secret}}
	var err error
	if d.receiver, err = newDemoApplication(signingKey); err != nil {
		return nil, err
	}
	if err := d.startReceiver("127.0.0.1:0"); err != nil {
		return nil, err
	}
	storage, err := os.MkdirTemp("", "caddy-webhooks-demo-")
	if err != nil {
		d.stop()
		return nil, err
	}
	d.storage = storage
	address, err := freeAddress()
	if err != nil {
		d.stop()
		return nil, err
	}
	d.gateway = "http://" + address
	if err := d.startGateway(address, secret, signingKey); err != nil {
		d.stop()
		return nil, fmt.Errorf("starting the gateway: %w", err)
	}
	fmt.Fprintf(w, "The gateway listens on %s and hands over to a receiver on %s.\n", d.gateway, d.server.Addr)
	fmt.Fprintf(w, "Providers sign or present a secret made for this run; the receiver checks the gateway's own signature.\n\n")
	return d, nil
}

func (d *demo) startReceiver(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	d.server = &http.Server{Handler: d.receiver, Addr: listener.Addr().String(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = d.server.Serve(listener) }() // ended by stop, or stopReceiver
	return nil
}

func (d *demo) startGateway(address, secret, signingKey string) error {
	for name, value := range map[string]string{
		demoSecret:     secret,
		demoSigningKey: signingKey,
		demoGateway:    address,
		demoReceiver:   d.server.Addr,
		demoStorage:    d.storage,
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	var err error
	d.config, _, err = caddyconfig.GetAdapter("caddyfile").Adapt([]byte(demoCaddyfile), map[string]any{"filename": "demo.caddyfile"})
	if err != nil {
		return err
	}
	if d.own, err = providersIn(d.config); err != nil {
		return err
	}
	return caddy.Load(d.config, true)
}

func (d *demo) stop() {
	_ = caddy.Stop()
	if d.server != nil {
		_ = d.server.Close()
	}
	if d.storage != "" {
		_ = os.RemoveAll(d.storage)
	}
}

// freeAddress returns an address on loopback on which nothing listens.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// demoStep is one request, or something else that happens, and what should become
// of it.
type demoStep struct {
	name  string
	who   string        // the provider, or the part that it happens to
	path  string        // of the URL, if it is not the provider's name
	body  []byte        // what is sent
	at    time.Duration // when it is signed, relative to now
	forge bool          // sign it with another key
	query url.Values    // of a GET, instead of a POST

	// do is what happens instead of a request.
	do func() (problem string, err error)

	status  int
	answer  string   // what the answer contains
	types   []string // of the envelopes that the receiver gets
	outcome string   // in words
}

// run takes all steps.
func (d *demo) run() error {
	steps, err := demoSteps(d.creds.token)
	if err != nil {
		return err
	}
	steps = append(steps, d.durableSteps()...)
	for _, step := range steps {
		problem, err := d.take(step)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", step.who, step.name, err)
		}
		mark, text := "ok  ", step.outcome
		if problem != "" {
			mark, text = "FAIL", problem
			d.failed++
		}
		fmt.Fprintf(d.w, "%s  %-9s %-25s %s\n", mark, step.who, step.name, text)
		d.showDeliveries()
	}
	if d.failed > 0 {
		return fmt.Errorf("%d of %d steps did not go as they should", d.failed, len(steps))
	}
	fmt.Fprintf(d.w, "\nAll %d went as they should.\n", len(steps))
	return nil
}

// showDeliveries prints what the receiver got, and forgets it.
func (d *demo) showDeliveries() {
	for _, delivery := range d.receiver.take() {
		if d.verbose {
			fmt.Fprintf(d.w, "\nwebhook-id: %s\n", delivery.id)
			if delivery.attempt != "" {
				fmt.Fprintf(d.w, "webhook-attempt: %s\n", delivery.attempt)
			}
			fmt.Fprintf(d.w, "%s\n\n", pretty(delivery.body))
		}
	}
}

// take takes one step and says what went wrong, if anything did.
func (d *demo) take(step demoStep) (problem string, err error) {
	if step.do != nil {
		return step.do()
	}
	response, err := d.send(step)
	if err != nil {
		return "", err
	}
	types, err := d.receiver.types()
	if err != nil {
		return err.Error(), nil
	}
	switch {
	case response.code != step.status:
		return fmt.Sprintf("answered %d instead of %d", response.code, step.status), nil
	case !strings.Contains(string(response.body), step.answer):
		return "the answer is not the expected one", nil
	case strings.Join(types, " ") != strings.Join(step.types, " "):
		return fmt.Sprintf("forwarded %q instead of %q", types, step.types), nil
	}
	return "", nil
}

func (d *demo) send(step demoStep) (answered, error) {
	target := d.gateway + "/" + cmp.Or(step.path, step.who)
	if step.query != nil {
		r, err := http.NewRequest(http.MethodGet, target+"?"+step.query.Encode(), nil)
		if err != nil {
			return answered{}, err
		}
		return do(r)
	}
	p, err := provider.Find(step.who, d.own)
	if err != nil {
		return answered{}, err
	}
	creds := d.creds
	if step.forge {
		creds.secret, creds.token = "not-"+creds.secret, "not-"+creds.token
	}
	return send(target, p, creds, step.body, time.Now().Add(step.at))
}

// samplePayloadOf returns a sample that is embedded, or nothing.
func samplePayloadOf(providerName, event string) []byte {
	f, _ := fixtures.Get(providerName, event)
	return f.Payload
}

// demoSteps returns the first steps in order; token is what WotNot gets back.
func demoSteps(token string) ([]demoStep, error) {
	payload := samplePayloadOf
	acme := []byte(`{"delivery_id":"d-1","event":"reply.sent","occurred_at":"2026-11-20T12:00:00Z","ticket":{"id":7},"reply":{"text":"On its way."}}`)
	challenge := "a-challenge"
	steps := []demoStep{
		{
			name: "message.updated", who: "notifly", body: payload("notifly", "message.updated"),
			status: 200, types: []string{"message.updated"}, outcome: "200, forwarded as message.updated",
		},
		{
			name: "hook saved", who: "wotnot", body: []byte(`{}`),
			status: 200, answer: token, outcome: "200 and its token back, forwarded to nobody",
		},
		{
			name: "batch of two", who: "wotnot", body: joinBatch(payload("wotnot", "conversation_create"), payload("wotnot", "message.text")),
			status: 200, answer: token, types: []string{"conversation.created", "message.created"}, outcome: "200 and its token back, forwarded as two events",
		},
		{
			name: "challenge", who: "chatbot", query: url.Values{"challenge": {challenge}, "token": {token}},
			status: 200, answer: challenge, outcome: "200 and the challenge, forwarded to nobody",
		},
		{
			name: "interaction", who: "chatbot", body: payload("chatbot", "interaction.matched"),
			status: 200, answer: demoAnswer, types: []string{"interaction.matched"}, outcome: "200 and the application's own answer",
		},
		{
			name: "message_created", who: "ndoto", body: payload("ndoto", "message_created"),
			status: 200, types: []string{"message.created"}, outcome: "200, forwarded as message.created",
		},
		{
			name: "newMessage", who: "oneroute", body: payload("oneroute", "newMessage"),
			status: 200, types: []string{"message.created"}, outcome: "200, forwarded without the channel's credentials",
		},
		{
			name: "reply.sent", who: "acme", body: acme,
			status: 200, types: []string{"message.created"}, outcome: "200, forwarded: a provider defined in the Caddyfile",
		},
		{
			name: "duplicate", who: "notifly", body: payload("notifly", "message.updated"),
			status: 200, outcome: "200, not forwarded again",
		},
		{
			name: "duplicate", who: "chatbot", body: payload("chatbot", "interaction.matched"),
			status: 200, answer: demoAnswer, outcome: "200 and the first answer, the application is not asked again",
		},
		{
			name: "forgery", who: "notifly", body: payload("notifly", "message.created"), forge: true,
			status: 401, outcome: "401, forwarded to nobody",
		},
		{
			name: "stale: signed an hour ago", who: "acme", body: bytes.Replace(acme, []byte("d-1"), []byte("d-2"), 1), at: -time.Hour,
			status: 401, outcome: "401, forwarded to nobody",
		},
	}
	for _, step := range steps {
		if step.query == nil && len(step.body) == 0 {
			return nil, fmt.Errorf("the sample of %s is missing", step.who)
		}
	}
	return steps, nil
}

// downEvents are what comes in while the receiver is down, in the types of
// Notifly.
var downEvents = []string{"conversation.created", "message.created", "message.updated"}

// durablePath is where demo.caddyfile delivers from the queue.
const durablePath = "durable"

// durableSteps returns the steps that show that what was answered is delivered in
// the end.
func (d *demo) durableSteps() []demoStep {
	return []demoStep{
		{name: "goes down", who: "receiver", do: d.stopReceiver, outcome: "its listener is closed"},
		{name: "three while it is down", who: "notifly", do: d.sendWhileDown, outcome: "200 each, on disk"},
		{name: "restarts", who: "gateway", do: d.restartGateway, outcome: "its queue is closed, and opened again"},
		{
			name: "duplicate of the last", who: "notifly", path: durablePath, body: samplePayloadOf("notifly", downEvents[2]),
			status: 200, outcome: "200, not stored again",
		},
		{name: "comes back", who: "receiver", do: d.awaitDeliveries, outcome: "all three delivered once, signed, each with a webhook-id of its own"},
	}
}

// stopReceiver closes the listener of the receiver and its connections.
func (d *demo) stopReceiver() (problem string, err error) { return "", d.server.Close() }

// sendWhileDown sends events that nobody can take.
func (d *demo) sendWhileDown() (problem string, err error) {
	for _, event := range downEvents {
		step := demoStep{who: "notifly", path: durablePath, body: samplePayloadOf("notifly", event), status: 200}
		if problem, err = d.take(step); problem != "" || err != nil {
			return problem, err
		}
	}
	return "", nil
}

// restartGateway stops Caddy, and starts it with the same configuration.
func (d *demo) restartGateway() (problem string, err error) {
	if err := caddy.Stop(); err != nil {
		return "", err
	}
	http.DefaultClient.CloseIdleConnections() // they lead nowhere
	return "", caddy.Load(d.config, true)
}

const (
	// deliverWithin is how long the queue may take to deliver once the receiver is
	// back.
	deliverWithin = 10 * time.Second

	// quietTime is how long to look for a second delivery afterwards: longer than
	// the longest wait of demo.caddyfile between two attempts.
	quietTime = 600 * time.Millisecond
)

// awaitDeliveries starts the receiver where it was and waits for what came in
// while it was down.
func (d *demo) awaitDeliveries() (problem string, err error) {
	if err := d.startReceiver(d.server.Addr); err != nil {
		return "", err
	}
	deadline := time.Now().Add(deliverWithin)
	for len(d.receiver.peek()) < len(downEvents) && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(quietTime)

	types, err := d.receiver.types()
	if err != nil {
		return err.Error(), nil
	}
	ids := make(map[string]bool)
	for _, delivery := range d.receiver.peek() {
		ids[delivery.id] = true
	}
	slices.Sort(types) // it is not an ordered destination
	switch {
	case !slices.Equal(types, downEvents):
		return fmt.Sprintf("delivered %q instead of %q within %s", types, downEvents, deliverWithin), nil
	case len(ids) != len(downEvents):
		return fmt.Sprintf("%d values of webhook-id instead of %d", len(ids), len(downEvents)), nil
	}
	return "", nil
}

// joinBatch puts the events of several batches into one.
func joinBatch(batches ...[]byte) []byte {
	var joined struct {
		Events []json.RawMessage `json:"events"`
	}
	for _, batch := range batches {
		// Decoding into a slice that is not empty would overwrite it.
		var one struct {
			Events []json.RawMessage `json:"events"`
		}
		_ = json.Unmarshal(batch, &one) // of an embedded sample
		joined.Events = append(joined.Events, one.Events...)
	}
	body, _ := json.Marshal(joined)
	return body
}

// demoAnswer is what the application answers.
const demoAnswer = `{"responses":[{"type":"text","message":"It arrives tomorrow."}]}`

// demoApplication is the application behind the gateway: it verifies what it
// gets as Standard Webhooks and keeps it.
type demoApplication struct {
	verifier verify.Verifier

	mu         sync.Mutex
	deliveries []demoDelivery
}

// demoDelivery is one request that the application got.
type demoDelivery struct {
	id        string
	attempt   string // only from the queue
	eventType string
	body      []byte
	err       error
}

func newDemoApplication(signingKey string) (*demoApplication, error) {
	v, err := verify.NewSignatureVerifier(standardWebhooks, []string{signingKey}, verify.DefaultTolerance)
	return &demoApplication{verifier: v}, err
}

// standardWebhooks is the scheme of Standard Webhooks, in the words of the
// provider language.
var standardWebhooks = verify.Signature{
	Algorithm: verify.HMACSHA256,
	Header:    envelope.HeaderSignature,
	Separator: " ",
	Prefix:    "v1,",
	Encoding:  verify.Base64,
	Content:   "$header(webhook-id).$timestamp.$body",
	Timestamp: &verify.Timestamp{Header: envelope.HeaderTimestamp},
	Key:       verify.Base64,
	KeyPrefix: envelope.SigningKeyPrefix,
}

func (a *demoApplication) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		_, err = a.verifier.Verify(&verify.Request{Method: r.Method, Header: r.Header, Body: body, Time: time.Now()})
	}
	var event struct {
		Type string `json:"type"`
	}
	err = errors.Join(err, json.Unmarshal(body, &event))

	a.mu.Lock()
	a.deliveries = append(a.deliveries, demoDelivery{
		id: r.Header.Get(envelope.HeaderID), attempt: r.Header.Get("Webhook-Attempt"), eventType: event.Type, body: body, err: err,
	})
	a.mu.Unlock()

	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, demoAnswer)
}

// peek returns what came in since the last take.
func (a *demoApplication) peek() []demoDelivery {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.deliveries
}

// types returns the types of what peek does, or what is wrong with one.
func (a *demoApplication) types() ([]string, error) {
	var types []string
	for _, delivery := range a.peek() {
		if delivery.err != nil {
			return nil, fmt.Errorf("the receiver could not verify it: %w", delivery.err)
		}
		types = append(types, delivery.eventType)
	}
	return types, nil
}

// take returns it and forgets it.
func (a *demoApplication) take() []demoDelivery {
	a.mu.Lock()
	defer a.mu.Unlock()
	taken := a.deliveries
	a.deliveries = nil
	return taken
}
