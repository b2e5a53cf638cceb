package connector

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// An erasure takes what is stored already out of the streams: a sealed message that holds something of it is sealed again
// without it, and the old one is shredded (DELIVERY.md, rule 13). The choices (2026-11):
//
// The new message goes to the end of the same subject, fenced like any other, and carries the position, version and
// counts of the last one: so it may be the last itself, the count of what it leaves out is as durable as the message, and
// of two processes that are at it only one writes it. It says whose place it takes, which is how a crash before the old
// one is shredded is told from one before it is written, and why a hole in the stream is no alarm: there is no list
// beside it that could disagree. A sealer that finds one behind its last message goes on behind it (sealer.adopt). On a
// subject of its own it would disturb no sealer, but then nothing would make its counts and its place one write.
//
// The rows that are left keep the token and the indices of the first message, so dead letters and cuts stay theirs, and a
// sink that has not done the old message, or not told so, loads the new one as the same insert. A sink also asks the
// store what it has of it (sink.lacking), since the token is forgotten in time and the message may outlive it.
//
// What is under way while an entry is listed is held off twice. A message that says how long the list is goes behind the
// last one of each partition first: behind it every sealer holds its events against that list. And a connector carries
// everything out a second time when settleTime has passed, and only then takes it for done.
//
// Frames of the intake are not rewritten: the sealer drops the event, and purges the frame when it is sealed; where their
// bytes are until then, and for how long after, is said in shred.go. Records of cuts hold nothing of anybody.
type resealer struct {
	st     *streams
	bodies *bodyReader
	erased *erasures
	log    *slog.Logger
	m      *metrics
	step   func(string) // where a test ends the process
}

// settleTime is how long after its listing what an erasure covers may still turn up: no attempt to transform, seal or load
// that began before takes longer.
const settleTime = 10 * time.Minute

// ErasureReport counts what an erasure removed from the streams.
type ErasureReport struct {
	Batches    int `json:"batches"`    // sealed batches looked at
	Resealed   int `json:"resealed"`   // of them sealed again without what is erased
	Events     int `json:"events"`     // left out of them
	Dead       int `json:"dead"`       // dead letters removed, those inside sealed batches not counted
	Refused    int `json:"refused"`    // bodies answered 4xx removed
	Waiting    int `json:"waiting"`    // events in the intake that are dropped when they are sealed
	Unreadable int `json:"unreadable"` // damaged or under a key that is not configured: nobody knows what is in them
}

func newResealer(st *streams, bodies *bodyReader, log *slog.Logger, m *metrics) *resealer {
	return &resealer{st: st, bodies: bodies, erased: bodies.erased, log: log, m: m, step: func(string) {}}
}

// run carries out what is listed and not known to be done: at the start what a crash left, later what settled.
func (r *resealer) run(ctx context.Context) error {
	for start := true; ; start = false {
		if err := r.settle(ctx, start, time.Now()); err != nil && ctx.Err() == nil {
			r.m.erasureFailures.Inc()
			r.log.Warn("an erasure is not carried out; tried again", "err", err)
		}
		if sleep(ctx, time.Minute) != nil {
			return nil
		}
	}
}

func (r *resealer) settle(ctx context.Context, all bool, now time.Time) error {
	pending := r.erased.pending()
	settled := slices.DeleteFunc(slices.Clone(pending), func(l listed) bool { return now.Sub(l.At) < settleTime })
	if len(settled) == 0 && (!all || len(pending) == 0) {
		return nil
	}
	rep, err := r.carryOut(ctx)
	if err != nil {
		return err
	}
	r.log.Info("erasures carried out", "entries", len(pending), "done", len(settled), "batches", rep.Resealed, "events", rep.Events,
		"dead_letters", rep.Dead, "refused", rep.Refused, "unreadable", rep.Unreadable)
	for _, l := range settled {
		if err := r.st.finish(ctx, l, now); err != nil {
			return err
		}
	}
	return nil
}

// carryOut removes what the list covers from everything stored. It is safe to repeat, and for several processes at once.
func (r *resealer) carryOut(ctx context.Context) (*ErasureReport, error) {
	if err := r.erased.load(ctx, r.st); err != nil {
		return nil, err
	}
	info, err := r.st.batches.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", streamBatches, err)
	}
	p := &resealing{resealer: r, until: r.erased.reached(), first: info.State.FirstSeq, replaced: map[uint64]bool{}, gone: map[string][]int{}}
	if err := r.st.noteShreds(); err != nil {
		return nil, err
	}
	for i := range r.st.partitions {
		if err := p.fence(ctx, i); err != nil {
			return nil, err
		}
		r.step("fenced")
	}
	for _, f := range []func(context.Context) error{p.look, p.batches, p.deadLetters, p.intake} {
		if err := f(ctx); err != nil {
			return nil, err
		}
	}
	return &p.rep, nil
}
