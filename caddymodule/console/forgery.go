package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
)

// forgery protects changes against forms on other sites.
type forgery struct {
	key    []byte // of this process
	origin *http.CrossOriginProtection
}

func newForgery() *forgery {
	f := &forgery{key: make([]byte, sha256.Size), origin: http.NewCrossOriginProtection()}
	_, _ = rand.Read(f.key) // never fails
	return f
}

// token returns what a form of a user must send along.
func (f *forgery) token(user string) string {
	mac := hmac.New(sha256.New, f.key)
	mac.Write([]byte(user))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// allows reports whether a form with a token came from a page of the console that the
// user had opened.
func (f *forgery) allows(r *http.Request, user, token string) bool {
	return f.origin.Check(r) == nil && hmac.Equal([]byte(token), []byte(f.token(user)))
}
