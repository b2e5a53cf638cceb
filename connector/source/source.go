package source

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// The built-in source, which needs no file.
const (
	Phonely      = "phonely"
	PhonelyRoute = "/phonely/webhook"
	// HooksPrefix begins the routes of sources that name none.
	HooksPrefix = "/hooks/"
	// DefaultTenant is that of a source which names none.
	DefaultTenant = "default"
)

// Source is one sender. It is safe for concurrent use.
type Source struct {
	Name   string
	Tenant string
	Route  string
	// MaxBody and MaxInflated bound a body as it comes and after decompression, in bytes; 0 is the server's bound.
	MaxBody, MaxInflated int64
	// MaxEvents bounds the events of one body; 0 is [DefaultMaxEvents].
	MaxEvents int

	auth    []proof
	any     bool // one proof is enough
	allow   []netip.Prefix
	limiter *rate.Limiter // nil has no limit
	mapping *Mapping      // nil: bodies are in Phonely's names
	split   *program
	test    *program
}

// Take asks for room under the source's rate. Where there is none, it says when there will be.
func (s *Source) Take(now time.Time) (wait time.Duration, ok bool) {
	if s.limiter == nil {
		return 0, true
	}
	r := s.limiter.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// Open reports whether the source lets everybody in.
func (s *Source) Open() bool { return len(s.auth) == 0 && len(s.allow) == 0 }

// Mapping returns the source's mapping; nil means that bodies are in Phonely's names.
func (s *Source) Mapping() *Mapping { return s.mapping }

// takesSegment reports whether the path may go on behind the route: with a secret.
func (s *Source) takesSegment() bool {
	return slices.ContainsFunc(s.auth, func(p proof) bool { _, ok := p.(*pathSecret); return ok })
}

// Set is all sources of one postcall.
type Set struct {
	sources []*Source // in the order of the file
	watched []*secrets
	cas     []*certificates
}

// Sources lists the sources.
func (s *Set) Sources() []*Source { return s.sources }

// Named returns the source of a name, or nil.
func (s *Set) Named(name string) *Source {
	for _, src := range s.sources {
		if src.Name == name {
			return src
		}
	}
	return nil
}

// Find returns the source that an escaped path belongs to, with what follows its route: a secret, where the source has
// one there. It returns nil for a path of none; a path that spells a route in another way is none.
func (s *Set) Find(path string) (src *Source, segment string) {
	for _, c := range s.sources {
		if path == c.Route {
			return c, ""
		}
		rest, ok := strings.CutPrefix(path, c.Route+"/")
		if ok && rest != "" && !strings.Contains(rest, "/") && c.takesSegment() {
			if text, err := url.PathUnescape(rest); err == nil {
				src, segment = c, text
			}
		}
	}
	return src, segment
}

// OpenSources names the sources that let everybody in.
func (s *Set) OpenSources() (names []string) {
	for _, src := range s.sources {
		if src.Open() {
			names = append(names, src.Name)
		}
	}
	return names
}

// WantsCertificates reports whether a source asks for a client certificate.
func (s *Set) WantsCertificates() bool { return len(s.cas) > 0 }

// reloadInterval is how often files of secrets are looked at.
const reloadInterval = time.Second

// Watch reads files of secrets again when they change, until ctx ends. A file that can't be used leaves the secrets as
// they were, with one line in the log.
func (s *Set) Watch(ctx context.Context, log *slog.Logger) error {
	t := time.NewTicker(reloadInterval)
	defer t.Stop()
	said := map[any]string{}
	report := func(who any, changed bool, err error) {
		switch {
		case err != nil && said[who] != err.Error():
			log.Error("a secret's file can't be used; the secrets stay as they were", "err", err)
			said[who] = err.Error()
		case err == nil:
			delete(said, who)
			if changed {
				log.Info("secrets were read again")
			}
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		for _, w := range s.watched {
			changed, err := w.reload()
			report(w, changed, err)
		}
		for _, c := range s.cas {
			changed, err := c.reload()
			report(c, changed, err)
		}
	}
}

// Options say what the file does not.
type Options struct {
	// Secrets are those of POSTCALL_WEBHOOK_SECRET, which the built-in source takes; SecretFile is where they come from,
	// empty where they come from the environment.
	Secrets    []string
	SecretFile string
}

// Load reads a file of sources; without a path there is the built-in source alone. With a file the built-in source is
// there as well where it has a secret, unless the file uses its name or its route. Every mistake is reported at once.
func Load(path string, o Options) (*Set, error) {
	s := &Set{}
	if path != "" {
		if err := s.parseFile(path); err != nil {
			return nil, err
		}
		if len(o.Secrets) == 0 && o.SecretFile == "" {
			return s, nil
		}
	}
	taken := func(src *Source) bool { return src.Name == Phonely || src.Route == PhonelyRoute }
	if slices.ContainsFunc(s.sources, taken) {
		return s, nil
	}
	src, err := s.builtIn(o)
	if err != nil {
		return nil, err
	}
	s.sources = append(s.sources, src)
	return s, nil
}

// SecretHeader carries the shared secret of the built-in source where the sender can set a header but no bearer token.
const SecretHeader = "X-Webhook-Secret"

func (s *Set) builtIn(o Options) (*Source, error) {
	src := &Source{Name: Phonely, Tenant: DefaultTenant, Route: PhonelyRoute, any: true}
	if len(o.Secrets) == 0 && o.SecretFile == "" {
		return src, nil
	}
	sec := &secrets{fixed: o.Secrets, commas: true}
	if o.SecretFile != "" {
		sec = &secrets{paths: []string{o.SecretFile}, commas: true}
	}
	if _, err := sec.reload(); err != nil {
		return nil, errors.New("POSTCALL_WEBHOOK_SECRET_FILE: " + err.Error())
	}
	s.watched = append(s.watched, sec)
	src.auth = []proof{&headerSecret{name: SecretHeader, secrets: sec}, &bearer{secrets: sec}}
	return src, nil
}
