// Command redact-pii is the transform that takes personal data out of events: every text goes through the engine of
// transforms/redact, and the structured phone number, e-mail address and name become keyed hashes.
//
// It fails closed: without a key, or with a policy it cannot apply, it doesn't start, and events wait on disk.
package main

import (
	"context"
	"fmt"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/redact"
)

const version = "0.1.0"

// Settings come from postcall once, when the plugin is started.
type Settings struct {
	// Key is a list of keys separated by commas; the first one hashes.
	Key string `json:"key"`
	// Policy is the path of a policy file. This version has the built-in policy only.
	Policy string `json:"policy"`
	// Region is that of phone numbers without country code; empty means US.
	Region string `json:"region"`
}

func main() {
	transforms.Serve("redact-pii", version, func(_ context.Context, s Settings) (transforms.Transformer, error) {
		return open(s)
	})
}

func open(s Settings) (*redactor, error) {
	keys, err := redact.ParseKeys(s.Key)
	if err != nil {
		return nil, err
	}
	if s.Policy != "" {
		return nil, fmt.Errorf("redaction policy %s: version %s has the built-in policy only, leave POSTCALL_REDACT_POLICY empty", s.Policy, version)
	}
	e, err := redact.New(redact.Options{Region: s.Region})
	if err != nil {
		return nil, err
	}
	return &redactor{engine: e, key: keys[0]}, nil
}
