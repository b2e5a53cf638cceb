package connector

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/postcall/postcall/transforms"
)

// part is what the transforms are handed at once: inputs of one chain, in order.
type part struct {
	chain  string // its key
	inputs []*input
}

// parts cuts a batch. Each input keeps its place in the batch, whatever chain it goes through.
func (s *sealer) parts(batch []input) (parts []part) {
	open := map[string]int{} // the part that a chain's next input belongs to
	for i := range batch {
		key := s.chain.key(batch[i].Source)
		at, ok := open[key]
		if !ok || len(parts[at].inputs) == s.cfg.Transform.Events {
			at = len(parts)
			open[key], parts = at, append(parts, part{chain: key})
		}
		parts[at].inputs = append(parts[at].inputs, &batch[i])
	}
	return parts
}

// transform normalizes events and runs them through the chain. It sets their results.
func (s *sealer) transform(ctx context.Context, p part) error {
	events, owner := make([]transforms.Event, 0, len(p.inputs)), make([]*input, 0, len(p.inputs))
	for _, in := range p.inputs {
		if in.damaged > 0 {
			f := s.die(in, StageIntake, "the frame fails its checksum")
			f.Outcome, f.Events = fateDamaged, in.damaged
			in.fates = []fate{f}
			continue
		}
		e, err := s.normalize(in)
		if err != nil {
			in.fates = []fate{s.die(in, StageNormalize, err.Error())}
			continue
		}
		e.Version = in.version
		if s.erased.covers(&e) {
			in.fates = []fate{newFate(&e, fateDropped, StageNormalize, reasonErased, 1)}
			in.fates[0].CallID = ""
			continue
		}
		events, owner = append(events, e), append(owner, in)
	}
	results, err := s.chain.apply(ctx, p.chain, events)
	if err != nil {
		return err
	}
	for i, r := range results {
		in := owner[i]
		in.result = r
		for j := range r.fates { // before sealing, a dead letter holds the raw body: it is mapped and transformed again on replay
			if r.fates[j].Outcome == fateDead {
				r.fates[j].Source, r.fates[j].Body = in.Source, s.cipher.seal(in.Body)
			}
		}
	}
	return nil
}

// normalize makes the event of an input. A panic costs the event, not the process: it would come again at the next start.
func (s *sealer) normalize(in *input) (e transforms.Event, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("normalizing panicked", "kind", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			err = errors.New("normalizing panicked")
		}
	}()
	return s.read.normalize(in.Body, in.Tenant, in.Source, in.Received)
}
