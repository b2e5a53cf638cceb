package transformtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/postcall/postcall/transforms"
)

// Subject is what Check checks: a transformer in this process, the same over gRPC, or a plugin's process.
type Subject struct {
	kind  string
	start func(context.Context) (*instance, error)
	spec  *transforms.Spec // of a process
}

// The kinds of a Subject.
const (
	kindDirect  = "direct"
	kindGRPC    = "grpc"
	kindProcess = "process"
)

// instance is one transformer that is open.
type instance struct {
	name, version string
	pid           int
	memory        func() int64 // in bytes, of a process; else nil
	// transform answers what the transformer does, unchecked.
	transform func(context.Context, []transforms.Event) ([]transforms.Event, error)
	// exchange does the same with serialized messages; nil in process.
	exchange func(context.Context, []byte) ([]byte, error)
	close    func() error
}

// Direct checks the transformer that open makes, in this process. It is closed where it is an io.Closer.
func Direct(open func() transforms.Transformer) Subject {
	return Subject{kind: kindDirect, start: func(context.Context) (*instance, error) {
		t := open()
		return &instance{transform: t.Transform, close: func() error { return closeIt(t) }}, nil
	}}
}

// OverGRPC checks the same, encoded and decoded and served as a plugin does it, but without a process.
func OverGRPC(open func() transforms.Transformer) Subject {
	return Subject{kind: kindGRPC, start: func(context.Context) (*instance, error) {
		t := open()
		remote, stop, err := transforms.Loopback("transformtest", "1", t)
		if err != nil {
			return nil, errors.Join(err, closeIt(t))
		}
		in := wired(remote.(exchanger))
		in.close = func() error { stop(); return closeIt(t) }
		return in, nil
	}}
}

// Process checks the plugin that spec starts. Its Logger hears what the plugin writes; Timeout and SHA256 are not used.
func Process(spec transforms.Spec) Subject {
	spec.SHA256 = nil
	return Subject{kind: kindProcess, spec: &spec, start: func(ctx context.Context) (*instance, error) {
		p, err := transforms.OpenProbe(ctx, spec)
		if err != nil {
			return nil, err
		}
		in := wired(p)
		in.name, in.version, in.pid, in.memory, in.close = p.Name(), p.Version(), p.PID(), p.Memory, p.Close
		return in, nil
	}}
}

// with returns the subject with a setting more.
func (s Subject) with(setting, value string) (Subject, error) {
	all := map[string]json.RawMessage{}
	if len(s.spec.Settings) > 0 {
		if err := json.Unmarshal(s.spec.Settings, &all); err != nil {
			return s, err
		}
	}
	all[setting] = json.RawMessage(value)
	data, err := json.Marshal(all)
	spec := *s.spec
	spec.Settings = data
	return Process(spec), err
}

type exchanger interface {
	Exchange(context.Context, []byte) ([]byte, error)
}

func wired(x exchanger) *instance {
	return &instance{exchange: x.Exchange, transform: func(ctx context.Context, batch []transforms.Event) ([]transforms.Event, error) {
		data, err := transforms.AppendEvents(nil, batch)
		if err != nil {
			return nil, err
		}
		if data, err = x.Exchange(ctx, data); err != nil {
			return nil, err
		}
		out, err := transforms.DecodeEvents(data)
		if err != nil {
			return nil, &unfitError{err}
		}
		return out, nil
	}}
}

func closeIt(t transforms.Transformer) error {
	if c, ok := t.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// unfitError says that an answer holds what an event can't.
type unfitError struct{ err error }

func (e *unfitError) Error() string { return e.err.Error() }

// errHung says that a call got no answer.
var errHung = errors.New("no answer")

// answer is what became of a batch.
type answer struct {
	batch []transforms.Event // as it was handed over
	out   []transforms.Event // a copy, as it would arrive
	data  []byte             // the same, serialized: equal answers have equal bytes
	err   error
	took  time.Duration

	returned time.Time
}

// call hands over a copy of batch.
func (in *instance) call(ctx context.Context, batch []transforms.Event, patience time.Duration) answer {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errHung)
	defer cancel()
	done := make(chan answer, 1)
	go func() {
		a := answer{batch: batch}
		began := time.Now()
		a.out, a.err = in.try(ctx, clones(batch))
		a.returned = time.Now()
		a.took = a.returned.Sub(began)
		a.read()
		done <- a
	}()
	select {
	case a := <-done:
		if a.err != nil && a.took > patience-100*time.Millisecond { // gRPC's clock can be ahead
			a.err = fmt.Errorf("%w within %s", errHung, patience)
		}
		return a
	case <-time.After(patience + time.Second):
		return answer{batch: batch, err: fmt.Errorf("%w within %s", errHung, patience), took: patience, returned: time.Now()}
	}
}

// try makes a panic an error, as Serve does.
func (in *instance) try(ctx context.Context, batch []transforms.Event) (out []transforms.Event, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("it panicked: %v", v)
		}
	}()
	return in.transform(ctx, batch)
}

// read sends what came back through the wire format, which the host does in any case.
func (a *answer) read() {
	if a.err != nil {
		return
	}
	var err error
	if a.data, err = transforms.AppendEvents(nil, a.out); err == nil {
		a.out, err = transforms.DecodeEvents(a.data)
	}
	if err != nil {
		a.err = &unfitError{err}
	}
}

func clones(batch []transforms.Event) []transforms.Event {
	out := make([]transforms.Event, len(batch))
	for i := range batch {
		out[i] = batch[i].Clone()
	}
	return out
}
