//go:build !linux

package caddymodule_test

import "net"

// reservePort returns a TCP port that is free. It may be taken before a gateway
// listens at it; only on Linux it is reserved.
func reservePort() (port int, release func(), err error) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		return 0, nil, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, func() {}, nil
}

// listeners returns one, since it cannot count them.
func listeners(int) (n int, err error) { return 1, nil }
