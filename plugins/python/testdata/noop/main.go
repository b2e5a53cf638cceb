// Command noop is testdata/noop.py in Go.
package main

import (
	"context"

	"github.com/postcall/postcall/transforms"
)

type noop struct{}

func (noop) Transform(_ context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	return batch, nil
}

func main() {
	transforms.Serve("noop", "1.0.0", func(context.Context, struct{}) (transforms.Transformer, error) { return noop{}, nil })
}
