package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// ClusterStatus is what a client can see of a cluster.
type ClusterStatus struct {
	Server     string   `json:"server"` // the one that was asked
	Replicas   int      `json:"replicas"`
	Partitions int      `json:"partitions"`
	MaxPayload int      `json:"maxPayload"`
	MaxBody    int64    `json:"maxBody"`           // the largest delivery that is taken
	Behind     []string `json:"behind,omitempty"`  // servers whose copy of a stream is not current, or that are away
	Leaders    []string `json:"leaders,omitempty"` // of each stream, as stream: server
	// OutageHours is how long a store may be away under steady calls before so many batches wait for it that deliveries are
	// refused, however small they are.
	OutageHours float64 `json:"outageHours"`
	// Sealers are the pods by partition, as their leases say; empty where nobody seals it. House is who keeps house.
	Sealers []string `json:"sealers"`
	House   string   `json:"house"`
}

// Cluster describes the cluster of POSTCALL_NATS_URL; nil with embedded streams.
func (o *Operator) Cluster(ctx context.Context) (*ClusterStatus, error) {
	if o.cfg.NATS.URL == "" {
		return nil, nil
	}
	s := o.st
	c := &ClusterStatus{Server: s.nc.ConnectedServerName(), Partitions: s.partitions, MaxPayload: s.maxPayload}
	var err error
	if c.MaxBody, err = bodyLimit(o.cfg, s.maxPayload); err != nil {
		return nil, err
	}
	for i, st := range []jetstream.Stream{s.intake, s.batches, s.dead, s.refused, s.erased} {
		info, err := st.Info(ctx)
		if err != nil {
			return nil, fmt.Errorf("look up a stream: %w", err)
		}
		if i == 0 || info.Config.Replicas < c.Replicas {
			c.Replicas = info.Config.Replicas
		}
		if info.Cluster == nil {
			continue
		}
		c.Leaders = append(c.Leaders, info.Config.Name+": "+info.Cluster.Leader)
		for _, r := range info.Cluster.Replicas {
			if !r.Current || r.Offline {
				c.Behind = append(c.Behind, r.Name)
			}
		}
	}
	batches := s.batches.CachedInfo().Config
	_, msgs := sealedLimits(&batches)
	c.OutageHours = float64(msgs) * o.cfg.Batch.MaxAge.Hours() / float64(s.partitions)
	slices.Sort(c.Behind)
	c.Behind = slices.Compact(c.Behind)
	owners, err := s.owners(ctx)
	c.Sealers, c.House = owners[:s.partitions], owners[s.partitions]
	return c, err
}

// owners are the pods that hold the leases, by task.
func (s *streams) owners(ctx context.Context) ([]string, error) {
	tasks := taskNames(s.partitions)
	owners := make([]string, len(tasks))
	kv, err := s.js.KeyValue(ctx, bucketLeases)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return owners, nil
	}
	for i := 0; i < len(tasks) && err == nil; i++ {
		var e jetstream.KeyValueEntry
		if e, err = kv.Get(ctx, taskPrefix+tasks[i]); err == nil {
			owners[i] = string(e.Value())
		} else if errors.Is(err, jetstream.ErrKeyNotFound) {
			err = nil
		}
	}
	if err != nil {
		return owners, fmt.Errorf("read the leases: %w", err)
	}
	return owners, nil
}

// Advice is what an operator should know of the cluster, in sentences.
func (c *ClusterStatus) Advice() (advice []string) {
	if c.Replicas < defaultReplicas {
		advice = append(advice, fmt.Sprintf("the streams have %d replicas: a delivery that is acknowledged can be lost with one server; raise them to 3, and unset POSTCALL_NATS_REPLICAS", c.Replicas))
	}
	if len(c.Behind) > 0 {
		advice = append(advice, "servers "+strings.Join(c.Behind, ", ")+" are behind or away: one more, and deliveries are refused until they are back")
	}
	if c.MaxPayload < embeddedMaxPayload {
		advice = append(advice, fmt.Sprintf("max_payload is %d bytes, so deliveries of over %d bytes are refused (413); the embedded server has 8MB and takes 2 MiB", c.MaxPayload, c.MaxBody))
	}
	if c.OutageHours < 6 {
		advice = append(advice, fmt.Sprintf("with %d partitions and steady calls a store may be away for %.1f hours before its batches are too many: raise POSTCALL_BATCH_MAX_AGE, or have fewer partitions (postcall drain)", c.Partitions, c.OutageHours))
	}
	return append(advice, "an acknowledgement is on disk only if every server has sync_interval: always in its jetstream block, which a client can't see: look there")
}
