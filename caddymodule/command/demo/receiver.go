package demo

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// answer is the receiver's answer to each request.
const answer = `{"responses":[{"type":"text","message":"It arrives tomorrow."}]}`

// receiver is the application behind the gateway. It verifies requests by
// Standard Webhooks, and records them.
type receiver struct {
	address  string
	server   *http.Server
	verifier verify.Verifier

	mu         sync.Mutex
	deliveries []delivery
}

// delivery is a request that the receiver got.
type delivery struct {
	id        string
	attempt   string // "" unless it comes from the queue
	eventType string
	body      []byte
	err       error // of its verification
}

// String returns the delivery as the demo prints it.
func (d delivery) String() string {
	text := "\nwebhook-id: " + d.id + "\n"
	if d.attempt != "" {
		text += "webhook-attempt: " + d.attempt + "\n"
	}
	var indented bytes.Buffer
	if json.Indent(&indented, d.body, "", "  ") != nil {
		return text + string(d.body) + "\n"
	}
	return text + indented.String() + "\n"
}

// newSigningKey returns a key for the gateway's signatures.
func newSigningKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return envelope.SigningKeyPrefix + base64.StdEncoding.EncodeToString(key)
}

// standardWebhooks is the signature scheme of Standard Webhooks.
var standardWebhooks = verify.Signature{
	Algorithm: verify.HMACSHA256,
	Places:    []verify.SignaturePlace{{Header: envelope.HeaderSignature}},
	Separator: " ",
	Prefix:    "v1,",
	Encoding:  verify.Base64,
	Content:   "$header(webhook-id).$timestamp.$body",
	Timestamp: &verify.Timestamp{Header: envelope.HeaderTimestamp},
	Key:       verify.Base64,
	KeyPrefix: envelope.SigningKeyPrefix,
}

// startReceiver starts a receiver on a port that the system chooses.
func startReceiver(signingKey string) (*receiver, error) {
	verifier, err := verify.NewSignatureVerifier(standardWebhooks, []string{signingKey}, verify.DefaultTolerance)
	if err != nil {
		return nil, err
	}
	r := &receiver{address: "127.0.0.1:0", verifier: verifier}
	return r, r.start()
}

// start listens on the address of the receiver.
func (r *receiver) start() error {
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		return err
	}
	r.address = listener.Addr().String()
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = r.server.Serve(listener) }() // returns after stop
	return nil
}

// stop closes the listener and all connections.
func (r *receiver) stop() error {
	if r.server == nil {
		return nil
	}
	return r.server.Close()
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err == nil {
		_, err = r.verifier.Verify(&verify.Request{Method: request.Method, Header: request.Header, Body: body, Time: time.Now()})
	}
	var event struct {
		Type string `json:"type"`
	}
	err = errors.Join(err, json.Unmarshal(body, &event))

	r.mu.Lock()
	r.deliveries = append(r.deliveries, delivery{
		id: request.Header.Get(envelope.HeaderID), attempt: request.Header.Get("Webhook-Attempt"), eventType: event.Type, body: body, err: err,
	})
	r.mu.Unlock()

	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, answer)
}

// peek returns the deliveries since the last take.
func (r *receiver) peek() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.deliveries
}

// take returns the deliveries since the last take, and forgets them.
func (r *receiver) take() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.deliveries
	r.deliveries = nil
	return taken
}

// types returns the types of the deliveries that peek returns, or an error if one
// could not be verified.
func (r *receiver) types() ([]string, error) {
	var types []string
	for _, d := range r.peek() {
		if d.err != nil {
			return nil, fmt.Errorf("the receiver could not verify it: %w", d.err)
		}
		types = append(types, d.eventType)
	}
	return types, nil
}
