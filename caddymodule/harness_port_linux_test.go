package caddymodule_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// reservePort reserves a TCP port, which the system chooses, until release is called.
// Its socket is bound and does not listen: the system gives the port to no other
// program, makes no connection from it, and refuses those to it. A Caddy of the same
// user can listen at it, because both sockets set SO_REUSEPORT.
func reservePort() (port int, release func(), err error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	var address unix.Sockaddr = new(unix.SockaddrInet6)
	if err != nil { // without IPv6
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		address = new(unix.SockaddrInet4)
	}
	if err != nil {
		return 0, nil, err
	}
	release = func() { _ = unix.Close(fd) }
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		release()
		return 0, nil, err
	}
	if err = unix.Bind(fd, address); err != nil {
		release()
		return 0, nil, err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		release()
		return 0, nil, err
	}
	switch bound := bound.(type) {
	case *unix.SockaddrInet6:
		port = bound.Port
	case *unix.SockaddrInet4:
		port = bound.Port
	}
	return port, release, nil
}

// listeners returns how many sockets listen at a TCP port of this machine.
func listeners(port int) (n int, err error) {
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		file, err := os.Open(name)
		if err != nil {
			continue // without IPv6
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		lines.Scan() // the titles
		for lines.Scan() {
			fields := strings.Fields(lines.Text()) // number, local address, remote address, state
			const listening = "0A"
			if len(fields) < 4 || fields[3] != listening {
				break // the sockets that listen come first
			}
			if strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) {
				n++
			}
		}
		if err := lines.Err(); err != nil {
			return 0, err
		}
	}
	return n, nil
}
