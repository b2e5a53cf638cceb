package main

import (
	"context"

	"github.com/postcall/postcall/transforms"
)

type dropShort struct {
	Seconds float64 `json:"seconds"` // a setting
}

func (d dropShort) Transform(_ context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	for i := range batch {
		if s := batch[i].Duration; s != nil && *s < d.Seconds {
			batch[i].Drop("too short")
		}
	}
	return batch, nil
}

func main() {
	transforms.Serve("drop-short", "1.0.0", func(_ context.Context, d dropShort) (transforms.Transformer, error) { return d, nil })
}
