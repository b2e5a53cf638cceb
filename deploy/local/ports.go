package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Free ports are taken from below the range of outgoing connections (Linux starts that at 32768), so that a test's own
// connections don't take one between our choice and the engine's listen.
const (
	portsFrom = 20000
	portsTo   = 32000
)

// freePort returns a loopback port that nothing listens on.
func freePort() (int, error) {
	for range 1000 {
		if port := portsFrom + rand.IntN(portsTo-portsFrom); portFree(port) {
			return port, nil
		}
	}
	return 0, errors.New("found no free port on 127.0.0.1")
}

// choosePort returns the named port, which has to be free, or for 0 the preferred one if it is free, or any free one.
func choosePort(flag string, named, preferred int) (int, error) {
	if named != 0 {
		if !portFree(named) {
			return 0, fmt.Errorf("port %d is taken: end what listens there, or give --%s another port (0: any)", named, flag)
		}
		return named, nil
	}
	if preferred != 0 && portFree(preferred) {
		return preferred, nil
	}
	return freePort()
}

func portFree(port int) bool {
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
