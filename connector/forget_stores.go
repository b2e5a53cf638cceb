package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/postcall/postcall/transforms/redact"
)

// Subject says whose calls a store is to remove: those of a call id (and of its children), or those under one of Keys.
type Subject struct {
	Tenant, CallID string
	CustomerKeys   []string // as in Event.CustomerKey, one for each key that hashes may have been made with
	EmailKeys      []string
	UpTo           int64 // the highest version that goes; 0 is all
}

// StoreErasure is what a store did about a subject.
type StoreErasure struct {
	Sink    string `json:"sink"`
	Removed int    `json:"removed"` // rows or documents, all versions
	Left    int    `json:"left"`    // counted after it: 0 is the proof
	// Note says what the store could not do beside it, and what to do about that.
	Note string `json:"note,omitempty"`
}

// Eraser is an optional ability of a Loader: to remove calls for good, and to count what is left of them. Nothing is loaded
// meanwhile. It is safe to repeat.
type Eraser interface {
	Erase(ctx context.Context, s *Subject) (StoreErasure, error)
}

func (e *Erasure) subject(keys [][]byte) *Subject {
	s := &Subject{Tenant: e.Tenant, CallID: e.CallID, UpTo: e.UpTo}
	if s.Tenant == "" {
		s.Tenant = defaultTenant
	}
	for _, k := range keys {
		switch {
		case e.Phone != "":
			s.CustomerKeys = append(s.CustomerKeys, redact.Hash(k, erasePhone, e.Phone))
		case e.Email != "":
			s.EmailKeys = append(s.EmailKeys, redact.Hash(k, eraseEmail, e.Email))
		}
	}
	return s
}

// Forgotten is the account of an erasure. It names nobody.
type Forgotten struct {
	At      time.Time      `json:"at"`
	Kind    string         `json:"kind"`    // call, phone or email
	Subject string         `json:"subject"` // keyed hash, as in the erasure list
	UpTo    int64          `json:"upTo"`    // 0 keeps later deliveries out too
	Streams ErasureReport  `json:"streams"`
	Stores  []StoreErasure `json:"stores"`
	// Proven says that nothing was left anywhere that could be read.
	Proven bool `json:"proven"`
}

// ForgetEverywhere removes a caller from the streams, as Forget does, and from the stores of the sinks, each of which stands
// still meanwhile: what it is loading when the erasure is listed is loaded before its store is asked. Step is told what
// is being done. The account is appended to the audit log (see AuditLog) whether or not all of it succeeded.
func (o *Operator) ForgetEverywhere(ctx context.Context, e Erasure, sinks []Sink, step func(string)) (f *Forgotten, err error) {
	entries, err := e.entries(o.cfg.RedactKeys(), time.Now())
	if err != nil {
		return nil, err
	}
	f = &Forgotten{At: time.Now().UTC(), Kind: e.kind(), Subject: entries[0].Hash, UpTo: e.UpTo}
	for _, s := range sinks {
		if _, ok := s.Loader.(Eraser); !ok {
			return nil, fmt.Errorf("sink %s can't remove calls", s.Name)
		}
	}
	defer func() { err = errors.Join(err, o.record(f)) }()
	step("the streams")
	rep, err := o.Forget(ctx, e)
	if err != nil {
		return f, err
	}
	f.Streams = *rep
	f.Proven = rep.Unreadable == 0
	var errs []error
	for i := range sinks {
		step(sinks[i].Name)
		done, err := o.eraseIn(ctx, &sinks[i], e.subject(o.cfg.RedactKeys()))
		if err != nil {
			errs = append(errs, fmt.Errorf("erase in %s: %w", sinks[i].Name, err))
			f.Proven = false
			continue
		}
		f.Proven = f.Proven && done.Left == 0
		f.Stores = append(f.Stores, done)
	}
	return f, errors.Join(errs...)
}

func (o *Operator) eraseIn(ctx context.Context, s *Sink, subject *Subject) (done StoreErasure, err error) {
	erase := func(ctx context.Context) error {
		done, err = s.Loader.(Eraser).Erase(ctx, subject)
		return err
	}
	if o.st.srv != nil { // nothing runs that could load
		err = erase(ctx)
	} else {
		h := &hold{st: o.st, name: s.Name, still: pauseFor}
		err = h.run(ctx, erase)
	}
	done.Sink = s.Name
	return done, err
}

func (e *Erasure) kind() string {
	switch {
	case e.CallID != "":
		return eraseCall
	case e.Phone != "":
		return erasePhone
	default:
		return eraseEmail
	}
}

// AuditLog is the file that erasures are recorded in, one JSON object a line.
func (o *Operator) AuditLog() string { return filepath.Join(o.cfg.DataDir, "erasures.ndjson") }

func (o *Operator) record(f *Forgotten) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(o.AuditLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = file.Write(append(b, '\n'))
		err = errors.Join(err, file.Sync(), file.Close())
	}
	if err != nil {
		return fmt.Errorf("record the erasure in the audit log: %w", err)
	}
	return nil
}
