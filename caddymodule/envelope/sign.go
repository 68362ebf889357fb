package envelope

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Headers of Standard Webhooks, in the spelling of net/http.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// SigningKeyPrefix begins a symmetric Standard Webhooks key.
const SigningKeyPrefix = "whsec_"

// The sizes in bytes that Standard Webhooks recommends for a symmetric key.
const (
	minSigningKey = 24
	maxSigningKey = 64
)

var (
	errSigningKeyForm = errors.New("a signing key is whsec_ followed by base64; make one with: echo whsec_$(openssl rand -base64 32)")
	errSigningKeySize = fmt.Errorf("a signing key must decode to %d to %d bytes; make one with: echo whsec_$(openssl rand -base64 32)", minSigningKey, maxSigningKey)
)

// Signer signs requests as Standard Webhooks, with each of its keys. A nil Signer
// sets only the id and the timestamp.
type Signer struct {
	keys []*sync.Pool // of hash.Hash; a reused one has the state after its key
}

// NewSigner returns a Signer for keys of the form `whsec_<base64>`, or nil if there are
// none. The error never contains a key.
func NewSigner(secrets []string) (*Signer, error) {
	if len(secrets) == 0 {
		return nil, nil
	}
	s := new(Signer)
	for _, secret := range secrets {
		encoded, ok := strings.CutPrefix(secret, SigningKeyPrefix)
		if !ok {
			return nil, errSigningKeyForm
		}
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, errSigningKeyForm
		}
		if len(key) < minSigningKey || len(key) > maxSigningKey {
			return nil, errSigningKeySize
		}
		s.keys = append(s.keys, &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }})
	}
	return s, nil
}

// SetHeaders sets the three Standard Webhooks headers for an attempt at time t to send
// body, and replaces those that are there.
func (s *Signer) SetHeaders(header http.Header, id string, t time.Time, body []byte) {
	timestamp := strconv.FormatInt(t.Unix(), 10)
	header[HeaderID] = []string{id}
	header[HeaderTimestamp] = []string{timestamp}
	if s == nil {
		delete(header, HeaderSignature)
		return
	}
	content := append(make([]byte, 0, len(id)+len(timestamp)+2), id...)
	content = append(content, '.')
	content = append(content, timestamp...)
	content = append(content, '.')

	signatures := make([]byte, 0, len(s.keys)*(len("v1,")+base64.StdEncoding.EncodedLen(sha256.Size)+1))
	var sum [sha256.Size]byte
	for i, pool := range s.keys {
		mac := pool.Get().(hash.Hash)
		mac.Reset()
		mac.Write(content)
		mac.Write(body)
		if i > 0 {
			signatures = append(signatures, ' ')
		}
		signatures = append(signatures, "v1,"...)
		signatures = base64.StdEncoding.AppendEncode(signatures, mac.Sum(sum[:0]))
		pool.Put(mac)
	}
	header[HeaderSignature] = []string{string(signatures)}
}
