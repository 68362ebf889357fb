//go:build !linux

package caddymodule_test

import "net"

// reservePort returns a TCP port that is free. Only on Linux does it stay so until
// a gateway listens at it.
func reservePort() (port int, release func(), err error) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		return 0, nil, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, func() {}, nil
}
