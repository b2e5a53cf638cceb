package connector

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// drain waits, once no delivery is taken any more, until what is in the intake is sealed and what is sealed is loaded.
// It does not wait for a stage that is failing: what that one has to do goes on at the next start.
func (c *Connector) drain(ctx context.Context, st *streams, ch *chain, sinks []*sink) {
	for sleep(ctx, 50*time.Millisecond) == nil {
		sealed, err := st.sealedAll(ctx)
		if err != nil {
			return
		}
		if !sealed && !ch.failed() {
			continue
		}
		done := true
		for _, s := range sinks {
			if s.failing.Load() {
				continue
			}
			cons, err := st.batches.Consumer(ctx, s.Name)
			if err != nil {
				return
			}
			i := cons.CachedInfo()
			done = done && i.NumPending == 0 && i.NumAckPending == 0
		}
		if done {
			return
		}
	}
}

// sealedAll says whether every frame is sealed.
func (s *streams) sealedAll(ctx context.Context) (bool, error) {
	for p := range s.partitions {
		at, _, err := s.lastSealed(ctx, p)
		if err != nil {
			return false, err
		}
		m, err := s.intake.GetLastMsgForSubject(ctx, subject(subjectIntake, p))
		if err != nil {
			if errors.Is(err, jetstream.ErrMsgNotFound) { // no frame of this partition
				continue
			}
			return false, err
		}
		if m.Sequence >= at.Position.Seq {
			return false, nil
		}
	}
	return true, nil
}
