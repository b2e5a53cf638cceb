// Command redact-pii is the transform that takes personal data out of events: every text goes through the engine of
// transforms/redact, and the structured phone number, e-mail address and name become keyed hashes, unless a policy says
// otherwise.
//
// It fails closed: without a key, or with a policy it cannot apply, it doesn't start, and events wait on disk.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/postcall/postcall/transforms"
	"github.com/postcall/postcall/transforms/redact"
)

const version = "0.2.0"

// Settings come from postcall once, when the plugin is started.
type Settings struct {
	// Key is a list of keys separated by commas; the first one hashes.
	Key string `json:"key"`
	// Policy is the path of a policy file; empty means the preset balanced.
	Policy string `json:"policy"`
	// Region is that of phone numbers without country code; empty means the policy's, or US.
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
	policy, err := readPolicy(s.Policy)
	if err != nil {
		return nil, err
	}
	e, err := redact.New(redact.Options{Region: s.Region, Policy: policy, Key: keys[0]})
	if err != nil {
		return nil, err
	}
	return &redactor{engine: e, policy: policy, key: keys[0]}, nil
}

func readPolicy(file string) (redact.Policy, error) {
	if file == "" {
		return redact.Policy{}, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return redact.Policy{}, fmt.Errorf("POSTCALL_REDACT_POLICY: %w", err)
	}
	p, err := redact.ParsePolicy(data)
	if err != nil {
		return redact.Policy{}, fmt.Errorf("POSTCALL_REDACT_POLICY (%s): %w", file, err)
	}
	return p, nil
}
