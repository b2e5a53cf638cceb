package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/time/rate"
)

// Scope is what a token may read.
type Scope string

// The scopes.
const (
	ScopeEvents  Scope = "events"  // single calls, with their transcripts
	ScopeCalls   Scope = "calls"   // the search
	ScopeMetrics Scope = "metrics" // numbers, and the questions that were not answered
)

// Scopes are all of them.
var Scopes = []Scope{ScopeEvents, ScopeCalls, ScopeMetrics}

const (
	tokenPrefix   = "postcall_"
	maxTokensFile = 1 << 20
	tokenBurst    = 4 // seconds' worth of requests at once
)

// caller is who asks.
type caller struct {
	name, tenant string
	scopes       []Scope
	expires      time.Time // zero never
	key          []byte    // signs cursors

	limiter *rate.Limiter
	once    sync.Once
	server  *mcp.Server // its tools; use mcpServer
}

func (c *caller) may(s Scope) bool { return slices.Contains(c.scopes, s) }

// NewToken makes a token, and the line that makes it valid in the file of tokens.
func NewToken(name, tenant string, scopes []Scope, expires time.Time) (token, line string, err error) {
	token = tokenPrefix + strings.ToLower(rand.Text()) + strings.ToLower(rand.Text()[:6])
	line = strings.Join([]string{name, tenant, joinScopes(scopes), hash(token)}, " ")
	if !expires.IsZero() {
		line += " " + expires.UTC().Format(time.RFC3339)
	}
	_, _, err = parseToken(line)
	return token, line, err
}

func joinScopes(scopes []Scope) string {
	texts := make([]string, len(scopes))
	for i, s := range scopes {
		texts[i] = string(s)
	}
	return strings.Join(texts, ",")
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "sha256:" + hex.EncodeToString(sum[:])
}

var (
	plainName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	hashRE    = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// parseToken reads a line: name, tenant, scopes separated by commas, hash, and when it ends, if it does.
func parseToken(line string) (c *caller, hash string, err error) {
	parts := strings.Fields(line)
	if len(parts) < 4 || len(parts) > 5 {
		return nil, "", errors.New("a line is: name tenant scopes sha256:HASH [END]")
	}
	c = &caller{name: parts[0], tenant: parts[1], key: []byte(parts[3])}
	switch {
	case !plainName.MatchString(c.name):
		return nil, "", errors.New("a name is 1 to 64 letters, digits, . _ and -")
	case len(c.tenant) > 64:
		return nil, "", errors.New("a tenant has 64 characters at most")
	case !hashRE.MatchString(parts[3]):
		return nil, "", errors.New("the hash is not sha256: and 64 small hexadecimal digits; the token itself does not belong here")
	}
	for s := range strings.SplitSeq(parts[2], ",") {
		if !slices.Contains(Scopes, Scope(s)) {
			return nil, "", errors.New("scopes are of " + joinScopes(Scopes))
		}
		c.scopes = append(c.scopes, Scope(s))
	}
	if len(parts) == 5 {
		if c.expires, err = time.Parse(time.RFC3339, parts[4]); err != nil {
			return nil, "", errors.New("the end is a time such as 2027-01-31T00:00:00Z")
		}
	}
	return c, parts[3], nil
}

// tokens are the valid ones, by hash. The file is read again when it changes.
type tokens struct {
	path string
	rate float64

	now  atomic.Pointer[map[string]*caller]
	last []byte
}

// openTokens reads the file. Errors name the variable and the line, never what is in it.
func openTokens(path string, perSecond float64) (*tokens, error) {
	t := &tokens{path: path, rate: perSecond}
	if path == "" {
		return nil, errors.New("POSTCALL_API_TOKENS is empty: name a file of tokens; postcall api token new makes one")
	}
	if _, err := t.reload(); err != nil {
		return nil, fmt.Errorf("POSTCALL_API_TOKENS (file): %w", err)
	}
	return t, nil
}

// reload reports whether the tokens changed. After an error they are as they were.
func (t *tokens) reload() (changed bool, err error) {
	f, err := os.Open(t.path)
	if err != nil {
		return false, errors.New("it can't be opened; name a file that this user may read")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTokensFile+1))
	if err != nil || len(text) > maxTokensFile {
		return false, errors.New("it can't be read, or is larger than 1 MiB")
	}
	old := t.now.Load()
	if old != nil && bytes.Equal(text, t.last) {
		return false, nil
	}
	all, names, number := map[string]*caller{}, map[string]bool{}, 0
	for line := range strings.Lines(string(text)) {
		number++
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		c, h, err := parseToken(line)
		if err != nil {
			return false, fmt.Errorf("line %d: %w", number, err)
		}
		if all[h] != nil || names[c.name] {
			return false, fmt.Errorf("line %d: its name or its hash is there twice", number)
		}
		c.limiter = rate.NewLimiter(rate.Limit(t.rate), max(1, int(tokenBurst*t.rate)))
		if old != nil && (*old)[h] != nil {
			c.limiter = (*old)[h].limiter
		}
		all[h], names[c.name] = c, true
	}
	t.last = text
	t.now.Store(&all)
	return old != nil, nil
}

// find returns whose token it is, or nil.
func (t *tokens) find(token string, now time.Time) *caller {
	c := (*t.now.Load())[hash(token)] // looked up by a hash: the time it takes says nothing about a token
	if c == nil || !c.expires.IsZero() && !now.Before(c.expires) {
		return nil
	}
	return c
}

// watch reads the file again when it changes, until ctx ends.
func (t *tokens) watch(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	failing := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch changed, err := t.reload(); {
		case err != nil && err.Error() != failing:
			failing = err.Error()
			log.Error("the tokens can't be read again; those before are still valid", "err", err)
		case err == nil:
			failing = ""
			if changed {
				log.Info("the tokens were read again", "tokens", len(*t.now.Load()))
			}
		}
	}
}
