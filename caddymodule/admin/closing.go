package admin

import (
	"context"
	"net/http"
	"sync"
)

// closing is the end of an admin server. Caddy replaces that server before it starts a
// configuration. If this then fails, the configuration before stays, but its server goes:
// without closing, that would wait 10 s for responses that do not end by themselves.
type closing struct {
	once sync.Once
	ctx  context.Context
	end  context.CancelFunc
}

func newClosing() *closing {
	c := new(closing)
	c.ctx, c.end = context.WithCancel(context.Background())
	return c
}

// of returns a context that ends with the server of the request, which is always the
// same one.
func (c *closing) of(r *http.Request) context.Context {
	c.once.Do(func() {
		if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok {
			server.RegisterOnShutdown(c.end)
		}
	})
	return c.ctx
}
