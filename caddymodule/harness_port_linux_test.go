package caddymodule_test

import "golang.org/x/sys/unix"

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
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		release()
		return 0, nil, err
	}
	if err := unix.Bind(fd, address); err != nil {
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
