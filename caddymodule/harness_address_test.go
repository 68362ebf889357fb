package caddymodule_test

import (
	"net"
	"strconv"
)

// The addresses of the Caddy in this process. Their ports are reserved until it ends,
// so that several test processes can run on one machine.
var (
	adminAddress   = net.JoinHostPort("localhost", mustReservePort())
	gatewayPort    = mustReservePort()
	gatewayAddress = net.JoinHostPort("localhost", gatewayPort)
)

func mustReservePort() string {
	port, _, err := reservePort()
	if err != nil {
		panic(err)
	}
	return strconv.Itoa(port)
}

// gatewayURL is where the sites of this process are.
var gatewayURL = "http://" + gatewayAddress
