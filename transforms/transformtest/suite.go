package transformtest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/postcall/postcall/transforms"
)

// open opens the transform; closeAll or stop closes it.
func (s *suite) open(ctx context.Context) (*instance, error) {
	in, err := s.subject.start(ctx)
	if err == nil {
		s.opened = append(s.opened, in)
	}
	return in, err
}

// failed is an error and the batch that it is about.
type failed struct {
	batch []transforms.Event
	err   error
}

// call hands a batch to the transform. A process that died of it, or hangs, is replaced by a new one.
func (s *suite) call(ctx context.Context, batch []transforms.Event) answer {
	a := s.main.call(ctx, batch, s.o.Patience)
	s.lookAtMemory()
	if a.err == nil || isUnfit(a.err) {
		return a
	}
	s.errors = append(s.errors, failed{batch, a.err})
	if errors.Is(a.err, transforms.ErrPluginGone) || hung(a.err) && s.subject.kind == kindProcess {
		if in, err := s.open(ctx); err == nil {
			s.main = in
		}
	}
	return a
}

// closeAll closes what is still open.
func (s *suite) closeAll() error {
	var all []error
	for _, in := range s.opened {
		all = append(all, in.close())
	}
	s.opened = nil
	return errors.Join(all...)
}

// logKeeper keeps what a process logs and hands it on.
type logKeeper struct {
	next *slog.Logger

	mu    sync.Mutex
	lines []string
}

// Enabled is part of slog.Handler.
func (l *logKeeper) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps the message and the attributes of a line.
func (l *logKeeper) Handle(ctx context.Context, r slog.Record) error {
	parts := []string{r.Message}
	r.Attrs(func(a slog.Attr) bool {
		parts = append(parts, a.String())
		return true
	})
	l.mu.Lock()
	if len(l.lines) < 10_000 {
		l.lines = append(l.lines, strings.Join(parts, " "))
	}
	l.mu.Unlock()
	if l.next != nil && l.next.Enabled(ctx, r.Level) {
		return l.next.Handler().Handle(ctx, r)
	}
	return nil
}

// WithAttrs is part of slog.Handler. The host's own attributes are not kept.
func (l *logKeeper) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup is part of slog.Handler.
func (l *logKeeper) WithGroup(string) slog.Handler { return l }

func (l *logKeeper) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}
