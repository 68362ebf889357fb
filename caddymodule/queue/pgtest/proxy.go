package pgtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Proxy is a TCP proxy on 127.0.0.1 that can be slow, narrow, stuck and switched to
// another server, also while connections are open.
type Proxy struct {
	listener net.Listener
	running  sync.WaitGroup

	mu          sync.Mutex
	to          string
	delay       time.Duration
	rate        int           // in bytes per second; 0 for no limit
	stuck       chan struct{} // nil unless the proxy is stuck; closed when it no longer is
	connections map[*connection]struct{}

	up, down link
}

// link is one direction of a proxy, shared by its connections.
type link struct {
	free time.Time // when everything has passed that came so far; guarded by mu
}

// connection is a connection from a client and the one to the server.
type connection struct {
	ctx    context.Context // ends when the connection breaks
	cancel context.CancelFunc
	closed chan struct{} // closed when both ends are
}

// chunk is a piece of what a connection sends.
type chunk struct {
	data []byte
	due  time.Time // when it leaves the proxy
	err  error     // what follows the data, if it is the last chunk
}

const (
	// readSize is the most that is read at once.
	readSize = 64 << 10
	// depth is the number of chunks that a direction of a connection holds. If more
	// are on their way, nothing is read, and those that follow become larger.
	depth = 1024
	// ahead is how far a sender may be ahead of a narrow link. It is more than a timer
	// is late, which costs no throughput then.
	ahead = 2 * time.Millisecond
)

// NewProxy returns a proxy to an address, which ends with the test.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	p := &Proxy{listener: listener, to: to, connections: make(map[*connection]struct{})}
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		p.accept()
	}()
	t.Cleanup(func() {
		listener.Close()
		<-accepting
		p.Cut()
		p.running.Wait()
	})
	return p
}

// Address returns the host and the port of the proxy.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// DSN returns a DSN, in the form of a URL, that leads through the proxy.
func (p *Proxy) DSN(dsn string) string { return through(dsn, p.Address()) }

// Delay makes each direction take longer, and a round trip twice that. It does not
// limit the throughput. What the proxy has received already is not affected, nor is
// the time it takes to connect.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Narrow limits the throughput of each direction, which the connections share; 0
// removes the limit.
func (p *Proxy) Narrow(bytesPerSecond int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = bytesPerSecond
	p.up.free, p.down.free = time.Time{}, time.Time{}
}

// Stick stops or resumes the proxy. While it is stuck, nothing that is sent gets
// through, and neither side notices: connections stay open, new ones are accepted, and
// the end of one is not passed on. The proxy stops reading, so a sender can only fill
// the buffers of the system. Everything gets through once the proxy resumes.
func (p *Proxy) Stick(stuck bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stuck == (p.stuck != nil) {
		return
	}
	if stuck {
		p.stuck = make(chan struct{})
	} else {
		close(p.stuck)
		p.stuck = nil
	}
}

// Switch makes later connections go to another address.
func (p *Proxy) Switch(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = to
}

// Cut breaks all connections that exist now, even if the proxy is stuck. What is on
// its way is lost.
func (p *Proxy) Cut() {
	p.mu.Lock()
	var cut []*connection
	for c := range p.connections {
		c.cancel()
		cut = append(cut, c)
	}
	p.mu.Unlock()
	for _, c := range cut {
		<-c.closed
	}
}

// through returns a DSN with another host and port.
func through(dsn, address string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		panic("pgtest: " + err.Error())
	}
	u.Host = address
	return u.String()
}

// accept accepts connections until the listener is closed.
func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		c := &connection{closed: make(chan struct{})}
		c.ctx, c.cancel = context.WithCancel(context.Background())
		p.mu.Lock()
		to := p.to
		p.connections[c] = struct{}{}
		p.mu.Unlock()
		p.running.Go(func() { p.serve(c, client.(*net.TCPConn), to) })
	}
}

// serve connects a client to an address until both directions end or one breaks.
func (p *Proxy) serve(c *connection, client *net.TCPConn, to string) {
	defer func() {
		c.cancel()
		client.Close()
		close(c.closed)
		p.mu.Lock()
		delete(p.connections, c)
		p.mu.Unlock()
	}()
	var dialer net.Dialer
	conn, err := dialer.DialContext(c.ctx, "tcp", to)
	if err != nil {
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	stop := context.AfterFunc(c.ctx, func() {
		client.Close()
		server.Close()
	})
	defer stop()
	up, down := make(chan chunk, depth), make(chan chunk, depth)
	var all sync.WaitGroup
	all.Go(func() { p.read(c, client, up, &p.up) })
	all.Go(func() { p.write(c, server, up) })
	all.Go(func() { p.read(c, server, down, &p.down) })
	all.Go(func() { p.write(c, client, down) })
	all.Wait()
}

// read sends what it reads over the link.
func (p *Proxy) read(c *connection, from io.Reader, line chan<- chunk, l *link) {
	buffer := make([]byte, readSize)
	for {
		n, err := from.Read(buffer)
		for rest := bytes.Clone(buffer[:n]); len(rest) > 0; {
			if !p.unstuck(c) {
				return
			}
			size, passed, delay := p.pass(l, len(rest))
			if !c.sleep(time.Until(passed) - ahead) {
				return
			}
			if !c.send(line, chunk{data: rest[:size], due: passed.Add(delay)}) {
				return
			}
			rest = rest[size:]
		}
		if err != nil {
			_, passed, delay := p.pass(l, 0)
			c.send(line, chunk{due: passed.Add(delay), err: err})
			return
		}
	}
}

// pass takes the link for some of the bytes. It returns how many, when they have
// passed it, and the delay that follows.
func (p *Proxy) pass(l *link, bytes int) (size int, passed time.Time, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.rate == 0 {
		return bytes, now, p.delay
	}
	size = min(bytes, max(1, p.rate/100)) // at most 10 ms, then it is another one's turn
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(size) / float64(p.rate) * float64(time.Second)))
	return size, l.free, p.delay
}

// write writes the chunks of a line when they are due.
func (p *Proxy) write(c *connection, to *net.TCPConn, line <-chan chunk) {
	alarm := newAlarm()
	defer alarm.close()
	for {
		select {
		case next := <-line:
			// The last part is short, and the alarm is exact.
			if !c.sleep(time.Until(next.due) - ahead) {
				return
			}
			alarm.sleep(time.Until(next.due))
			if !p.unstuck(c) {
				return
			}
			if errors.Is(next.err, io.EOF) {
				to.CloseWrite()
				return
			}
			if next.err == nil {
				_, next.err = to.Write(next.data)
			}
			if next.err != nil {
				c.cancel()
				return
			}
		case <-c.ctx.Done():
			return
		}
	}
}

// unstuck waits while the proxy is stuck. It reports whether the connection still
// exists.
func (p *Proxy) unstuck(c *connection) bool {
	for {
		p.mu.Lock()
		stuck := p.stuck
		p.mu.Unlock()
		if stuck == nil {
			return c.ctx.Err() == nil
		}
		select {
		case <-stuck:
		case <-c.ctx.Done():
			return false
		}
	}
}

// send puts a chunk into a line, unless the connection breaks.
func (c *connection) send(line chan<- chunk, next chunk) bool {
	select {
	case line <- next:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// sleep waits, unless the connection breaks.
func (c *connection) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-c.ctx.Done():
		return false
	}
}
