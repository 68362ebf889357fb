package queue

import (
	"crypto/rand"
	"os"
	"strings"
)

// common is what the logs of one queue share at this gateway.
type common struct {
	holder string // the name of this gateway among those that share the queue
}

func newCommon() *common { return &common{holder: newHolder()} }

// newHolder returns a name for this gateway: the host's name, for people, and random
// letters, because a host may run several.
func newHolder() string {
	host, _ := os.Hostname()
	return strings.ToValidUTF8(host, "") + "-" + strings.ToLower(rand.Text()[:8])
}
