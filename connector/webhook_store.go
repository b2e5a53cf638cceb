package connector

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/postcall/postcall/connector/source"
)

// What becomes of one event of a body.
const (
	statusStored  = "stored"
	statusIgnored = "ignored" // the mapping makes no call of it
	statusRefused = "refused"
	statusTest    = "test" // a test whose fields are wrong: it is not stored
)

// answer is the body of a 200.
type answer struct {
	// Status is stored, ignored or test; with several events stored where one of them is.
	Status string `json:"status"`
	// CallID is of the one event of a body.
	CallID string `json:"callId,omitempty"`
	Test   bool   `json:"test,omitempty"`
	// Errors are the wrong fields of a test.
	Errors []fieldProblem `json:"errors,omitempty"`
	// Events are what became of each event, where a body may hold several.
	Events []eventAnswer `json:"events,omitempty"`
}

// eventAnswer is what became of one event of several.
type eventAnswer struct {
	Index  int            `json:"index"` // in the body, from 0
	Status string         `json:"status"`
	CallID string         `json:"callId,omitempty"`
	Test   bool           `json:"test,omitempty"`
	Errors []fieldProblem `json:"errors,omitempty"`
}

// event is one event of a body on its way into the intake.
type event struct {
	eventAnswer
	body []byte
	err  error // why it is refused
	wait *waiting
}

// store checks the events of a body and makes the good ones durable; the bad ones are kept as dead letters.
func (w *webhook) store(r *request, lines bool) (*answer, *problem) {
	received := time.Now().UTC().Truncate(time.Microsecond)
	parts, several, err := r.src.Events(r.body, lines)
	if err != nil {
		return nil, w.refuseBody(r, received, r.body, bodyError(err))
	}
	if several && !r.room.grow(int64(len(r.body))) { // the parts are copies
		return nil, busy("too many deliveries at once")
	}
	events := make([]event, len(parts))
	for i, p := range parts {
		events[i] = w.examine(r.src, i, p)
	}
	if !several && events[0].Status == statusRefused {
		return nil, w.refuseBody(r, received, events[0].body, events[0].err)
	}
	if p := w.accept(r.Context(), r.src, received, events); p != nil {
		return nil, p
	}
	if !several {
		e := &events[0]
		return &answer{Status: e.Status, CallID: e.CallID, Test: e.Test, Errors: e.Errors}, nil
	}
	return w.answerAll(r, received, events)
}

// examine checks one event.
func (w *webhook) examine(src *source.Source, i int, p source.Part) event {
	e := event{eventAnswer: eventAnswer{Index: i, Status: statusStored}, body: p.Body, err: p.Err}
	if e.err == nil {
		e.CallID, e.Test, e.err = w.read.check(src, p.Body)
	} else {
		e.err = bodyError(e.err)
	}
	switch {
	case e.err == nil:
	case errors.Is(e.err, source.ErrNoCall):
		e.Status, e.err = statusIgnored, nil
	case e.Test: // a Test tab is to get a clear answer, whatever its sample says
		e.Status, e.Errors, e.CallID, e.err = statusTest, problemsOf(e.err), "", nil
	default:
		e.Status, e.Errors = statusRefused, problemsOf(e.err)
	}
	return e
}

// accept makes the good events durable. All of them are under way at once, so they share frames.
func (w *webhook) accept(ctx context.Context, src *source.Source, received time.Time, events []event) *problem {
	var failed error
	ctx, span := w.tracing.begin(ctx, "intake", trace.SpanKindProducer, len(events))
	defer func() { w.tracing.end(span, intakeFailure(failed)) }()
	for i := range events {
		e := &events[i]
		if e.Status != statusStored {
			continue
		}
		d := delivery{Tenant: src.Tenant, Source: src.Name, Received: received, Body: e.body}
		if e.wait, failed = w.intake.enqueue(ctx, d, partition(d.Tenant, e.CallID, w.parts)); failed != nil {
			break
		}
	}
	for i := range events {
		if events[i].wait != nil {
			if err := w.intake.wait(events[i].wait); err != nil {
				failed = err
			}
		}
	}
	switch {
	case errors.Is(failed, ErrFull):
		return busy("the intake is full")
	case failed != nil: // the sender repeats them all; those that are stored are replaced by the same
		return busy("the delivery could not be stored")
	}
	return nil
}

// intakeFailure is the kind of an error of the intake, for a span.
func intakeFailure(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrFull):
		return "full"
	}
	return "unavailable"
}

// answerAll keeps the refused events of several and says what became of each. It is a problem where all are refused.
func (w *webhook) answerAll(r *request, received time.Time, events []event) (*answer, *problem) {
	a := &answer{Status: statusIgnored, Events: make([]eventAnswer, len(events))}
	g, ctx := errgroup.WithContext(r.Context())
	g.SetLimit(16) // each of them is synced on its own
	refused := 0
	for i := range events {
		e := &events[i]
		a.Events[i] = e.eventAnswer
		switch e.Status {
		case statusStored:
			a.Status = statusStored
		case statusTest:
			if a.Status == statusIgnored {
				a.Status = statusTest
			}
		case statusRefused:
			refused++
			g.Go(func() error { return w.keep(ctx, r, received, e.body, e.err) })
		}
	}
	if err := g.Wait(); err != nil {
		w.log.Error("refused events could not be kept", "request_id", r.id, "source", r.src.Name, "err", err)
		return nil, busy("the delivery could not be stored")
	}
	if refused == 0 {
		return a, nil
	}
	if refused == len(events) {
		p := &problem{
			Status: http.StatusUnprocessableEntity, reason: "field", Detail: "none of the " + strconv.Itoa(len(events)) + " events can be taken",
			why: events[0].err.Error(),
		}
		for i := range events {
			for _, fp := range events[i].Errors {
				fp.Event = &events[i].Index
				if p.Errors = append(p.Errors, fp); len(p.Errors) == maxProblems {
					return nil, p
				}
			}
		}
		return nil, p
	}
	w.m.refused.WithLabelValues("field").Add(float64(refused))
	first := 0
	for events[first].Status != statusRefused {
		first++
	}
	w.log.Warn("events of a delivery refused; the others are stored", "request_id", r.id, "source", r.src.Name, "refused", refused, "of", len(events),
		"why", events[first].err.Error())
	return a, nil
}

// maxProblems bounds the wrong fields that an answer names.
const maxProblems = 200

// refuseBody keeps a body that was let in and can't be taken, and makes the problem of it: nothing is lost, even where
// the sender does not send it again.
func (w *webhook) refuseBody(r *request, received time.Time, body []byte, err error) *problem {
	if len(body) > 0 {
		if kerr := w.keep(r.Context(), r, received, body, err); kerr != nil { // the sender is to keep it
			w.log.Error("refused body could not be kept", "request_id", r.id, "source", r.src.Name, "err", kerr)
			return busy("the delivery could not be stored")
		}
	}
	return bodyProblem(err)
}

func (w *webhook) keep(ctx context.Context, r *request, received time.Time, body []byte, err error) error {
	return w.dead.putRefusedBody(ctx, delivery{Tenant: r.src.Tenant, Source: r.src.Name, Received: received, Body: body}, err.Error())
}
