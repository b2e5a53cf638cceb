package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The partition of a call, and with it the order of its deliveries, follows from their number P, so P changes only while
// nothing waits in the intake and no connector runs (DELIVERY.md, rule 14). The intake takes no frame meanwhile, whoever
// sends it: it has no subject of a partition. Every partition then goes on with a position behind everything, and with the
// highest version of all: a correction may reach another partition than the call did, and has to be the later one there.
// The metadata of the intake is written last; a drain that was cut short is run again.

// subjectGate is the intake's only subject during a drain. Nobody publishes to it.
const subjectGate = "postcall.gate"

var errGated = errors.New("a drain was cut short: run `postcall drain` again, with the same --partitions")

// Drain changes the number of partitions of a cluster. Every connector has to be stopped, and what they took sealed.
func (o *Operator) Drain(ctx context.Context, partitions int) error {
	st := o.st
	switch {
	case o.cfg.NATS.URL == "":
		return errors.New("the embedded streams have one partition; only those of a cluster (POSTCALL_NATS_URL) can have another number")
	case partitions < 1 || partitions > maxPartitions:
		return fmt.Errorf("%d partitions: there can be 1 to %d", partitions, maxPartitions)
	}
	pods, err := st.livePods(ctx, leaseTime+leaseMargin)
	if err != nil {
		return err
	}
	if len(pods) > 0 {
		return fmt.Errorf("connectors run (%s): stop all of them, and run this again", strings.Join(pods, ", "))
	}
	gate := st.intake.CachedInfo().Config
	gate.Subjects = []string{subjectGate}
	if _, err := st.js.UpdateStream(ctx, gate); err != nil {
		return fmt.Errorf("close stream %s: %w", streamIntake, err)
	}
	sealed, err := st.sealedAll(ctx)
	if err == nil && !sealed {
		err = errors.New("frames wait in the intake: start a connector, wait until `postcall status` shows none waiting, stop it in order, and run this again")
	}
	if err != nil { // it goes on as it was
		return errors.Join(err, st.openGate(ctx, st.partitions))
	}
	if err := st.moveOn(ctx, partitions); err != nil {
		return err
	}
	return st.openGate(ctx, partitions)
}

// moveOn puts a message behind the last one of each partition to come.
func (s *streams) moveOn(ctx context.Context, partitions int) error {
	info, err := s.intake.Info(ctx)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", streamIntake, err)
	}
	var version int64
	for p := range s.ever {
		at, _, err := s.lastSealed(ctx, p)
		if err != nil {
			return err
		}
		version = max(version, at.Version)
	}
	for p := range partitions {
		at, last, err := s.lastSealed(ctx, p)
		if err != nil {
			return err
		}
		at.Position, at.Version = position{Seq: max(info.State.LastSeq+1, at.Position.Seq)}, version
		payload, err := finishPayload(newPayload(nil), nil)
		if err != nil {
			return err
		}
		next := &sealed{Intake: at.Intake, Position: at.Position, Version: at.Version, Counts: at.Counts, Erasures: at.Erasures}
		_, err = s.js.PublishMsg(ctx, sealMessage(subject(subjectBatches, p), next, payload, nil), jetstream.WithExpectLastSequencePerSubject(last))
		if err != nil {
			return fmt.Errorf("move partition %d on: %w", p, err)
		}
	}
	return nil
}

// openGate gives the intake so many partitions, and POSTCALL_BATCHES the room that their sealers need.
func (s *streams) openGate(ctx context.Context, partitions int) error {
	for _, st := range []jetstream.Stream{s.batches, s.intake} {
		info, err := st.Info(ctx)
		if err != nil {
			return fmt.Errorf("look up a stream: %w", err)
		}
		c := info.Config
		was, _ := strconv.Atoi(c.Metadata[metaPartitions])
		ever, _ := strconv.Atoi(c.Metadata[metaEver])
		c.Metadata[metaPartitions], c.Metadata[metaEver] = strconv.Itoa(partitions), strconv.Itoa(max(ever, was, partitions))
		if c.Name == streamBatches {
			c.MaxBytes += resealRoom(partitions) - resealRoom(was)
		} else {
			c.Subjects = intakeSubjects(partitions)
		}
		changed, err := s.js.UpdateStream(ctx, c)
		if err != nil {
			return fmt.Errorf("give stream %s %d partitions: %w", c.Name, partitions, err)
		}
		if err := s.use(changed); err != nil {
			return err
		}
	}
	return nil
}

// livePods are the pods that show a heartbeat within so long.
func (s *streams) livePods(ctx context.Context, within time.Duration) (pods []string, err error) {
	kv, err := s.js.KeyValue(ctx, bucketLeases)
	if errors.Is(err, jetstream.ErrBucketNotFound) { // no connector of a release with leases has run
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up the leases: %w", err)
	}
	watch, err := kv.Watch(ctx, podPrefix+"*", jetstream.UpdatesOnly())
	if err != nil {
		return nil, fmt.Errorf("follow the leases: %w", err)
	}
	defer func() { _ = watch.Stop() }()
	limit := time.After(within)
	for {
		select {
		case e := <-watch.Updates():
			if e != nil && e.Operation() == jetstream.KeyValuePut {
				pods = append(pods, strings.TrimPrefix(e.Key(), podPrefix))
			}
		case <-limit:
			slices.Sort(pods)
			return slices.Compact(pods), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// partitionsChanged says whether the streams have another number of partitions than this process works with.
func (s *streams) partitionsChanged(ctx context.Context) bool {
	info, err := s.intake.Info(ctx)
	return err == nil && info.Config.Metadata[metaPartitions] != strconv.Itoa(s.partitions)
}
