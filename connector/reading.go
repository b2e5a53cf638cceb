package connector

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/postcall/postcall/connector/source"
	"github.com/postcall/postcall/transforms"
)

// reading is how a body becomes an event: by the mapping of its source, then by the rules of Normalizer. It is the same
// when the body is checked and when it is sealed, so what was answered 2xx can be sealed.
type reading struct {
	norm  *Normalizer
	set   *source.Set
	limit int // bytes of what a mapping makes
}

// newReading reads the bodies of set. What a mapping makes of one leaves room in a message of maxPayload bytes for what an
// event has besides.
func newReading(cfg *Config, set *source.Set, maxPayload int) *reading {
	return &reading{norm: NewNormalizer(cfg.Location(), cfg.RedactKeys()), set: set, limit: maxPayload / 2}
}

// errNoSource says that a stored body's source is not configured any more.
var errNoSource = errors.New("its source is not in POSTCALL_SOURCES any more: put it back and replay the dead letter")

// source finds the source of a stored body. The built-in one is always known: it needs no mapping.
func (r *reading) source(name string) (*source.Source, error) {
	if src := r.set.Named(name); src != nil {
		return src, nil
	}
	if name == source.Phonely || name == "" {
		return &source.Source{Name: source.Phonely}, nil
	}
	return nil, errNoSource
}

// check returns the call id of a body that normalize takes, whether it is a test, and normalize's error for any other.
// source.ErrNoCall says that it is no call.
func (r *reading) check(src *source.Source, body []byte) (callID string, test bool, err error) {
	event, test, err := src.Read(body, r.limit)
	if err != nil {
		return "", test, bodyError(err)
	}
	callID, flagged, err := r.norm.check(event)
	return callID, test || flagged, placed(err, src)
}

// normalize makes the event of a stored body.
func (r *reading) normalize(body []byte, tenant, name string, received time.Time) (transforms.Event, error) {
	src, err := r.source(name)
	if err != nil {
		return transforms.Event{}, err
	}
	event, test, err := src.Read(body, r.limit)
	if err != nil {
		return transforms.Event{}, bodyError(err)
	}
	e, err := r.norm.Normalize(event, tenant, name, received)
	e.IsTest = e.IsTest || test
	return e, placed(err, src)
}

// bodyError makes a *FieldError of what package source says of a body.
func bodyError(err error) error {
	if be, ok := errors.AsType[*source.BodyError](err); ok {
		return &FieldError{Kind: be.Kind, Cure: be.Cure, Status: be.Status}
	}
	if pe, ok := errors.AsType[*source.ProgramError](err); ok {
		fe := refused("", "a body that the mapping can't take ("+pe.Reason+")", "correct the mapping, or what is sent")
		fe.Source, fe.Line = pe.Source, pe.Line
		if pe.Field != "" {
			fe.Field = "/" + pe.Field
		}
		return fe
	}
	return err
}

// placed says of each wrong field which line of the source's mapping makes it.
func placed(err error, src *source.Source) error {
	m := src.Mapping()
	if err == nil || m == nil {
		return err
	}
	for _, fe := range fieldErrors(err) {
		fe.Source, fe.Line = src.Name, m.Line(fe.Field)
	}
	return err
}

// fieldErrors lists what is wrong with a body.
func fieldErrors(err error) FieldErrors {
	if all, ok := errors.AsType[FieldErrors](err); ok {
		return all
	}
	if fe, ok := errors.AsType[*FieldError](err); ok {
		return FieldErrors{fe}
	}
	return FieldErrors{{Kind: fmt.Sprintf("what can't be read (%v)", err), Cure: "send one call, as one JSON object", Status: http.StatusBadRequest}}
}
