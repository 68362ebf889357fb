package caddymodule_test

import (
	"net"
	"strconv"
	"testing"
)

// The addresses of the Caddy in this process. Their ports are reserved until it ends,
// so that several test processes can run on one machine.
var (
	adminPort    = mustReservePort()
	adminAddress = net.JoinHostPort("localhost", strconv.Itoa(adminPort))

	gatewayPort    = mustReservePort()
	gatewayAddress = net.JoinHostPort("localhost", strconv.Itoa(gatewayPort))
	gatewayURL     = "http://" + gatewayAddress
)

func mustReservePort() int {
	port, _, err := reservePort()
	if err != nil {
		panic(err)
	}
	return port
}

// waitOneListener waits until the listeners of the configuration before are closed.
// Caddy closes them in the background, and resets the connections that they have not
// accepted.
func waitOneListener(t testing.TB) {
	t.Helper()
	for _, port := range []int{adminPort, gatewayPort} {
		waitFor(t, func() bool {
			n, err := listeners(port)
			if err != nil {
				t.Fatal(err)
			}
			return n <= 1
		})
	}
}
