package connector

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/postcall/postcall/transforms"
)

// ConsolePath is where the console is on the admin port.
const ConsolePath = "/console/"

// Running is the connector of this process, for what is served beside its metrics: an Operator on the streams that the
// connector uses, and how this process does. It is usable while the connector runs.
type Running struct {
	*Operator
	sinks []Sink
}

// Here is how the connector of this process does. Status says how all of them do.
type Here struct {
	Pod      string // its name on a cluster, as in its leases; empty without one
	Refusing string // why deliveries are not taken; empty while they are
	Sinks    []SinkHere
}

// The states of a sink in a process.
const (
	SinkLoads  = "loads"  // or has nothing to load
	SinkFails  = "fails"  // it tries again by itself
	SinkPaused = "paused" // until its operator has put something right
)

// SinkHere says whether a sink loads, and if not, why.
type SinkHere struct {
	Name, State string
	Why         string // holds no personal data
}

// sinkTrouble is why a sink does not load.
type sinkTrouble struct{ state, why string }

func (s *sink) waits(state string, cause error) { s.trouble.Store(&sinkTrouble{state, cause.Error()}) }

// Here looks at this process alone, and asks nobody.
func (r *Running) Here() Here {
	h := Here{Refusing: r.here.refusing()}
	if r.here.leases != nil {
		h.Pod = r.here.leases.me
	}
	for _, s := range r.here.sinks {
		one := SinkHere{Name: s.Name, State: SinkLoads}
		if t := s.trouble.Load(); t != nil {
			one.State, one.Why = t.state, t.why
		}
		h.Sinks = append(h.Sinks, one)
	}
	return h
}

// Replay is ReplayDead by the sinks of this process.
func (r *Running) Replay(ctx context.Context, l *DeadLetter) error {
	return r.ReplayDead(ctx, l, r.sinks)
}

// LatestCall is what can be told of a call that was sealed: nothing that was said in it.
type LatestCall struct {
	Tenant, Source, CallID, AgentName string
	Version                           int64
	Received                          time.Time
	Duration                          *float64 // seconds
	Topic, Sentiment, EndedReason     string   // in postcall's vocabulary; the sender's words where redaction has seen them
	Test                              bool
	Transforms                        []transforms.Applied
	Acked                             map[string]bool // by sink: it is done with the batch
}

// latestLooks bounds how many sealed messages are opened for the latest calls.
const latestLooks = 32

// Latest returns the calls that were received last, of those in the newest sealed batches of all connectors, the last one
// first. One call is there once, by its highest version; one that is to be forgotten is not. It needs no store.
func (r *Running) Latest(ctx context.Context, limit int) ([]LatestCall, error) {
	info, err := r.st.batches.Info(ctx)
	if err != nil {
		return nil, err
	}
	floors := map[string]uint64{}
	for _, name := range r.cfg.Sinks {
		if c, err := r.st.batches.Consumer(ctx, name); err == nil {
			floors[name] = c.CachedInfo().AckFloor.Stream
		}
	}
	var calls []LatestCall
	known := map[[2]string]int{}
	last, enough := info.State.LastSeq, 0
	for seq := last; seq >= max(info.State.FirstSeq, 1) && last-seq < latestLooks && enough < limit; seq-- {
		msg, err := r.st.batches.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if msg.Header.Get(headerEvents) == "0" {
			continue
		}
		s, err := openMessage(msg.Header, msg.Data)
		if err != nil {
			continue // the sinks tell of it
		}
		if s.Origin == "" { // one that was sealed again holds old calls
			enough += len(s.Events)
		}
		for i := range s.Events {
			e := &s.Events[i]
			if r.erased.covers(e) {
				continue
			}
			c := latestCall(e)
			for sink, floor := range floors {
				c.Acked[sink] = seq <= floor
			}
			key := [2]string{e.Tenant, e.CallID}
			if at, ok := known[key]; !ok {
				known[key], calls = len(calls), append(calls, c)
			} else if c.Version > calls[at].Version {
				calls[at] = c
			}
		}
	}
	slices.SortFunc(calls, func(a, b LatestCall) int {
		return cmp.Or(b.Received.Compare(a.Received), cmp.Compare(b.Version, a.Version))
	})
	return calls[:min(limit, len(calls))], nil
}

func latestCall(e *transforms.Event) LatestCall {
	c := LatestCall{
		Tenant: e.Tenant, Source: e.Source, CallID: e.CallID, AgentName: e.AgentName, Version: e.Version, Received: e.ReceivedAt, Duration: e.Duration,
		Sentiment: e.SentimentKind, EndedReason: e.EndedReasonKind, Test: e.IsTest, Transforms: slices.Clone(e.Transforms), Acked: map[string]bool{},
	}
	if len(e.Topics) > 0 {
		c.Topic = e.Topics[0]
	}
	if Redacted(e) {
		c.Topic, c.Sentiment, c.EndedReason = cmp.Or(c.Topic, e.Topic), cmp.Or(c.Sentiment, e.Sentiment), cmp.Or(c.EndedReason, e.EndedReason)
	}
	return c
}

// Redacted says that redact-pii has seen the event: what is left of its texts may be shown to an operator.
func Redacted(e *transforms.Event) bool {
	return slices.ContainsFunc(e.Transforms, func(t transforms.Applied) bool { return t.Name == redactPII })
}
