package pgtest_test

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// echo returns the address of a server that puts a name before each connection and
// sends back what it receives.
func echo(t *testing.T, name byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				c.Write([]byte{name})
				io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return l.Addr().String()
}

// dial connects to a proxy and returns the name that the server behind it sends.
func dial(t *testing.T, p *pgtest.Proxy) (net.Conn, byte) {
	t.Helper()
	c, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	var name [1]byte
	if _, err := io.ReadFull(c, name[:]); err != nil {
		t.Fatal(err)
	}
	return c, name[0]
}

// roundTrip returns how long it takes to send some bytes and to receive them again.
func roundTrip(t *testing.T, c net.Conn, size int) time.Duration {
	t.Helper()
	begun := time.Now()
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, size))
		sent <- err
	}()
	_, err := io.ReadFull(c, make([]byte, size))
	if err != nil {
		t.Error(err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	return time.Since(begun)
}

func TestProxyDelay(t *testing.T) {
	p := pgtest.NewProxy(t, echo(t, 'a'))
	c, _ := dial(t, p)
	median := func(n int) time.Duration {
		all := make([]time.Duration, n)
		for i := range all {
			all[i] = roundTrip(t, c, 100)
		}
		slices.Sort(all)
		return all[n/2]
	}
	none := median(100)
	for _, d := range []time.Duration{time.Millisecond, 5 * time.Millisecond} {
		p.Delay(d)
		took := median(30)
		t.Logf("a delay of %v makes a round trip of %v take %v", d, none, took)
		if took < 2*d || took > 3*d+none {
			t.Errorf("a round trip with a delay of %v takes %v", d, took)
		}
	}

	// 16 MiB in chunks of 64 KiB would take 25 s if they waited for each other.
	p.Delay(100 * time.Millisecond)
	took := roundTrip(t, c, 16<<20)
	t.Logf("16 MiB take %v", took)
	if took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("16 MiB with a delay of 100 ms take %v", took)
	}
}

func TestProxyDelayOfConcurrentRoundTrips(t *testing.T) {
	p := pgtest.NewProxy(t, echo(t, 'a'))
	p.Delay(time.Millisecond)
	var mu sync.Mutex
	var all []time.Duration
	var running sync.WaitGroup
	for i := range 4 {
		c, _ := dial(t, p)
		running.Go(func() {
			time.Sleep(time.Duration(i) * 300 * time.Microsecond)
			for range 50 {
				took := roundTrip(t, c, 100)
				mu.Lock()
				all = append(all, took)
				mu.Unlock()
				time.Sleep(time.Duration(i) * 70 * time.Microsecond)
			}
		})
	}
	running.Wait()
	slices.Sort(all)
	t.Logf("a round trip takes %v, at most %v", all[len(all)/2], all[len(all)-1])
	if took := all[len(all)/2]; took < 2*time.Millisecond || took > 4*time.Millisecond {
		t.Errorf("a round trip takes %v", took)
	}
}

func TestProxyNarrow(t *testing.T) {
	p := pgtest.NewProxy(t, echo(t, 'a'))
	var clients [2]net.Conn
	for i := range clients {
		clients[i], _ = dial(t, p)
	}
	p.Narrow(2 << 20)
	var running sync.WaitGroup
	for _, c := range clients {
		running.Go(func() {
			took := roundTrip(t, c, 256<<10)
			t.Logf("half of 512 KiB at 2 MiB/s took %v", took)
			if took < 200*time.Millisecond || took > time.Second {
				t.Errorf("half of 512 KiB at 2 MiB/s took %v", took)
			}
		})
	}
	running.Wait()
	p.Narrow(0)
	if took := roundTrip(t, clients[0], 1<<20); took > 400*time.Millisecond {
		t.Errorf("1 MiB without a limit took %v", took)
	}
}

func TestProxyStick(t *testing.T) {
	p := pgtest.NewProxy(t, echo(t, 'a'))
	c, _ := dial(t, p)
	p.Stick(true)
	p.Stick(true)
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	late, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	for _, c := range []net.Conn{c, late} {
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		n, readErr := c.Read(make([]byte, 1))
		if n > 0 || !errors.Is(readErr, os.ErrDeadlineExceeded) {
			t.Fatalf("a stuck proxy gives %d bytes, %v", n, readErr)
		}
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
	}

	// It stops reading.
	c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	sent, err := io.CopyN(c, zeros{}, 1<<30)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a stuck proxy takes %d bytes, %v", sent, err)
	}
	t.Logf("a stuck proxy takes %d bytes", sent)

	p.Stick(false)
	if _, err := io.CopyN(io.Discard, c, 1+sent); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(late, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	p.Stick(true) // and the proxy ends nevertheless
}

// zeros is a source of zeros without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func TestProxySwitch(t *testing.T) {
	p := pgtest.NewProxy(t, echo(t, 'a'))
	first, name := dial(t, p)
	if name != 'a' {
		t.Fatalf("the first connection goes to %c", name)
	}
	p.Switch(echo(t, 'b'))
	roundTrip(t, first, 1)
	second, name := dial(t, p)
	if name != 'b' {
		t.Fatalf("the second connection goes to %c", name)
	}
	p.Stick(true)
	p.Cut()
	p.Cut()
	p.Stick(false)
	for _, c := range []net.Conn{first, second} {
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a broken connection gives %d bytes, %v", n, err)
		}
	}
	third, _ := dial(t, p)
	third.(*net.TCPConn).CloseWrite()
	if _, err := third.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the end of a connection gives %v", err)
	}
}

func TestProxyEnds(t *testing.T) {
	to := echo(t, 'a')
	before := runtime.NumGoroutine()
	t.Run("proxy", func(t *testing.T) {
		p := pgtest.NewProxy(t, to)
		c, _ := dial(t, p)
		p.Delay(time.Hour)
		c.Write([]byte("x"))
		dialled, err := net.Dial("tcp", p.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer dialled.Close()
	})
	for begun := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 5*time.Second {
			t.Fatalf("there were %d goroutines, now there are %d", before, runtime.NumGoroutine())
		}
	}
}
