package caddymodule

import (
	"bytes"
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
then a duplicate, a forgery and a stale one, and says what became of each. The
exit status is 0 if all went as it should.

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
	if err := d.startReceiver(signingKey); err != nil {
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

func (d *demo) startReceiver(signingKey string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.receiver, err = newDemoApplication(signingKey)
	if err != nil {
		return err
	}
	d.server = &http.Server{Handler: d.receiver, Addr: listener.Addr().String(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = d.server.Serve(listener) }() // ended by stop
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
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(demoCaddyfile), map[string]any{"filename": "demo.caddyfile"})
	if err != nil {
		return err
	}
	if d.own, err = providersIn(config); err != nil {
		return err
	}
	return caddy.Load(config, true)
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

// demoStep is one request and what should become of it.
type demoStep struct {
	name     string
	provider string
	body     []byte
	at       time.Duration // when it is signed, relative to now
	forge    bool          // change the body after it was signed
	query    url.Values    // of a GET, instead of a POST

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
	for _, step := range steps {
		problem, err := d.take(step)
		if err != nil {
			return err
		}
		mark, text := "ok  ", step.outcome
		if problem != "" {
			mark, text = "FAIL", problem
			d.failed++
		}
		fmt.Fprintf(d.w, "%s  %-9s %-25s %s\n", mark, step.provider, step.name, text)
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
			fmt.Fprintf(d.w, "\n%s: %s\n%s\n\n", "webhook-id", delivery.id, pretty(delivery.body))
		}
	}
}

// take takes one step and says what went wrong, if anything did.
func (d *demo) take(step demoStep) (problem string, err error) {
	response, err := d.send(step)
	if err != nil {
		return "", err
	}
	deliveries := d.receiver.peek()
	var types []string
	for _, delivery := range deliveries {
		if delivery.err != nil {
			return "the receiver could not verify it: " + delivery.err.Error(), nil
		}
		types = append(types, delivery.eventType)
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
	target := d.gateway + "/" + step.provider
	if step.query != nil {
		r, err := http.NewRequest(http.MethodGet, target+"?"+step.query.Encode(), nil)
		if err != nil {
			return answered{}, err
		}
		return do(r)
	}
	p, err := findProvider(step.provider, d.own)
	if err != nil {
		return answered{}, err
	}
	creds := d.creds
	if step.forge {
		creds.secret, creds.token = "not-"+creds.secret, "not-"+creds.token
	}
	return send(target, p, creds, step.body, time.Now().Add(step.at))
}

// demoSteps returns the steps in order; token is what WotNot gets back.
func demoSteps(token string) ([]demoStep, error) {
	payload := func(providerName, event string) []byte {
		f, _ := fixtures.Get(providerName, event)
		return f.Payload
	}
	acme := []byte(`{"delivery_id":"d-1","event":"reply.sent","occurred_at":"2026-11-20T12:00:00Z","ticket":{"id":7},"reply":{"text":"On its way."}}`)
	challenge := "a-challenge"
	steps := []demoStep{
		{
			name: "message.updated", provider: "notifly", body: payload("notifly", "message.updated"),
			status: 200, types: []string{"message.updated"}, outcome: "200, forwarded as message.updated",
		},
		{
			name: "hook saved", provider: "wotnot", body: []byte(`{}`),
			status: 200, answer: token, outcome: "200 and its token back, forwarded to nobody",
		},
		{
			name: "batch of two", provider: "wotnot", body: joinBatch(payload("wotnot", "conversation_create"), payload("wotnot", "message.text")),
			status: 200, answer: token, types: []string{"conversation.created", "message.created"}, outcome: "200 and its token back, forwarded as two events",
		},
		{
			name: "challenge", provider: "chatbot", query: url.Values{"challenge": {challenge}, "token": {token}},
			status: 200, answer: challenge, outcome: "200 and the challenge, forwarded to nobody",
		},
		{
			name: "interaction", provider: "chatbot", body: payload("chatbot", "interaction.matched"),
			status: 200, answer: demoAnswer, types: []string{"interaction.matched"}, outcome: "200 and the application's own answer",
		},
		{
			name: "message_created", provider: "ndoto", body: payload("ndoto", "message_created"),
			status: 200, types: []string{"message.created"}, outcome: "200, forwarded as message.created",
		},
		{
			name: "newMessage", provider: "oneroute", body: payload("oneroute", "newMessage"),
			status: 200, types: []string{"message.created"}, outcome: "200, forwarded without the channel's credentials",
		},
		{
			name: "reply.sent", provider: "acme", body: acme,
			status: 200, types: []string{"message.created"}, outcome: "200, forwarded: a provider defined in the Caddyfile",
		},
		{
			name: "duplicate", provider: "notifly", body: payload("notifly", "message.updated"),
			status: 200, outcome: "200, not forwarded again",
		},
		{
			name: "duplicate", provider: "chatbot", body: payload("chatbot", "interaction.matched"),
			status: 200, answer: demoAnswer, outcome: "200 and the first answer, the application is not asked again",
		},
		{
			name: "forgery", provider: "notifly", body: payload("notifly", "message.created"), forge: true,
			status: 401, outcome: "401, forwarded to nobody",
		},
		{
			name: "stale: signed an hour ago", provider: "acme", body: bytes.Replace(acme, []byte("d-1"), []byte("d-2"), 1), at: -time.Hour,
			status: 401, outcome: "401, forwarded to nobody",
		},
	}
	for _, step := range steps {
		if step.query == nil && len(step.body) == 0 {
			return nil, fmt.Errorf("the sample of %s is missing", step.provider)
		}
	}
	return steps, nil
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
		id: r.Header.Get(envelope.HeaderID), eventType: event.Type, body: body, err: err,
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

// take returns it and forgets it.
func (a *demoApplication) take() []demoDelivery {
	a.mu.Lock()
	defer a.mu.Unlock()
	taken := a.deliveries
	a.deliveries = nil
	return taken
}
