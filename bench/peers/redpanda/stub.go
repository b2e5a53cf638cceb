//go:build !peers

// Command redpanda is a peer to measure against; the program itself is behind the tag peers.
package main

import (
	"fmt"
	"os"
)

// main is what is built without the tag: the components take minutes to compile, and no check of ours needs them.
func main() {
	fmt.Fprintln(os.Stderr, "built without Redpanda Connect: go build -tags peers")
	os.Exit(1)
}
