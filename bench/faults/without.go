package main

import (
	"context"
	"time"
)

// withoutToken runs a build whose inserts have another token each time.
func withoutToken(ctx context.Context, r *running) error {
	dir, err := r.program(ctx, r.name, []patch{
		{"connector/clickhouse/loader.go", `"insert_deduplication_token":  token,`, `"insert_deduplication_token":  rand.Text(),`},
	})
	if err != nil {
		return err
	}
	r.expect.patient = 20 * time.Second
	return r.killBeforeAck(ctx, dir)
}

// withoutFence runs two of a build that writes a sealed batch whatever came before it.
func withoutFence(ctx context.Context, r *running) error {
	dir, err := r.program(ctx, r.name, append([]patch{
		{"connector/seal.go", "PublishMsg(pctx, msg, jetstream.WithExpectLastSequencePerSubject(s.seq), ", "PublishMsg(pctx, msg, "},
	}, leaseless...))
	if err != nil {
		return err
	}
	r.expect.patient = 20 * time.Second
	return r.twoOnACluster(ctx, dir)
}

// withoutFsync runs a build whose streams are synced every two minutes.
func withoutFsync(ctx context.Context, r *running) error {
	dir, err := r.program(ctx, r.name, []patch{{"connector/streams.go", "SyncAlways: true,", "SyncAlways: false,"}})
	if err != nil {
		return err
	}
	r.expect.patient = 20 * time.Second
	return r.powerLoss(ctx, dir)
}
