package source

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/time/rate"
)

var (
	namePattern  = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$`)
	routePattern = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)
)

// maxFile bounds the file of sources, and each program.
const maxFile = 1 << 20

// parser reads the file into a set and collects what is wrong.
type parser struct {
	set  *Set
	dir  string // paths of the file are relative to it
	errs []error
}

func (s *Set) parseFile(path string) error {
	text, err := readFile(path)
	if err != nil {
		return fmt.Errorf("POSTCALL_SOURCES: %w", err)
	}
	p := &parser{set: s, dir: filepath.Dir(path)}
	p.document(text)
	return errors.Join(p.errs...)
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fileProblem(err)
	}
	if info.IsDir() || info.Size() > maxFile {
		return nil, fmt.Errorf("it is a folder or larger than %d bytes; name a file of text", maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fileProblem(err)
	}
	return b, nil
}

// fail notes a mistake by its place, key and cure. It never quotes a value, which may be a secret in the wrong place.
func (p *parser) fail(n *yaml.Node, key, wrong, cure string) {
	p.errs = append(p.errs, fmt.Errorf("POSTCALL_SOURCES line %d, %s: %s; %s", n.Line, key, wrong, cure))
}

func (p *parser) document(text []byte) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		line := regexp.MustCompile(`line \d+`).FindString(err.Error())
		p.errs = append(p.errs, fmt.Errorf("POSTCALL_SOURCES %s: it is not YAML; look at the indentation and the quotes there", line))
		return
	}
	if len(doc.Content) == 0 {
		p.errs = append(p.errs, errors.New("POSTCALL_SOURCES: the file is empty; begin with sources: and a list, or unset the variable"))
		return
	}
	var list *yaml.Node
	p.fields(doc.Content[0], "file", map[string]func(*yaml.Node, string){"sources": func(n *yaml.Node, _ string) { list = n }})
	if list == nil && len(p.errs) == 0 {
		p.fail(doc.Content[0], "sources", "it is missing", "write sources: and a list")
	}
	if list == nil {
		return
	}
	if list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
		p.fail(list, "sources", "it is no list with an entry", "write one entry with a name for each sender")
		return
	}
	for i, n := range list.Content {
		p.source(n, fmt.Sprintf("sources[%d]", i))
	}
}

// fields calls the reader of each key of a mapping.
func (p *parser) fields(n *yaml.Node, key string, known map[string]func(*yaml.Node, string)) {
	if n.Kind != yaml.MappingNode {
		p.fail(n, key, "it is no mapping", "write keys with values: "+strings.Join(sortedKeys(known), ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		read, ok := known[k.Value]
		switch {
		case !ok || k.Kind != yaml.ScalarNode:
			p.fail(k, key, "it has an unknown key"+quoteShort(k.Value), "choose of "+strings.Join(sortedKeys(known), ", "))
		case seen[k.Value]:
			p.fail(k, key+"."+k.Value, "it is there twice", "write it once")
		case v.Kind == yaml.AliasNode:
			p.fail(v, key+"."+k.Value, "it is an alias", "write the value out")
		default:
			seen[k.Value] = true
			read(v, key+"."+k.Value)
		}
	}
}

// quoteShort shows a key, which can be a value only by a grave mistake, and is then long.
func quoteShort(key string) string {
	if len(key) > 30 || !regexp.MustCompile(`^[a-zA-Z_-]+$`).MatchString(key) {
		return ""
	}
	return " " + key
}

func sortedKeys(m map[string]func(*yaml.Node, string)) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (p *parser) text(dst *string) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		if n.Kind != yaml.ScalarNode || n.Value == "" || n.Tag == "!!null" {
			p.fail(n, key, "it is no text", "write a text")
			return
		}
		*dst = n.Value
	}
}

func (p *parser) texts(dst *[]string) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		items := n.Content
		if n.Kind == yaml.ScalarNode {
			items = []*yaml.Node{n}
		} else if n.Kind != yaml.SequenceNode {
			items = nil
		}
		if len(items) == 0 {
			p.fail(n, key, "it is no list of texts", "write a list with one text at least")
		}
		for i, item := range items {
			var s string
			p.text(&s)(item, fmt.Sprintf("%s[%d]", key, i))
			*dst = append(*dst, s)
		}
	}
}

func (p *parser) duration(dst *time.Duration) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		d, err := time.ParseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || d <= 0 || d > 24*time.Hour {
			p.fail(n, key, "it is no duration of more than 0 and at most 24h", "write for example 5m")
			return
		}
		*dst = d
	}
}

func (p *parser) number(dst *float64, low, high float64) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		f, err := strconv.ParseFloat(n.Value, 64)
		if n.Kind != yaml.ScalarNode || err != nil || !(f >= low && f <= high) {
			p.fail(n, key, "it is no number within bounds", fmt.Sprintf("write %v to %v", low, high))
			return
		}
		*dst = f
	}
}

var sizeUnits = map[string]int64{"": 1, "KiB": 1 << 10, "MiB": 1 << 20}

func (p *parser) size(dst *int64) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		digits := strings.TrimRight(n.Value, "KMiB")
		size, err := strconv.ParseInt(digits, 10, 32)
		unit, ok := sizeUnits[n.Value[len(digits):]]
		if n.Kind != yaml.ScalarNode || err != nil || !ok || size*unit < 1<<10 || size*unit > 64<<20 {
			p.fail(n, key, "it is no size of 1KiB to 64MiB", "write for example 512KiB or 1MiB")
			return
		}
		*dst = size * unit
	}
}

// source reads one entry.
func (p *parser) source(n *yaml.Node, key string) {
	src := &Source{Tenant: DefaultTenant}
	var needs, mapping, split, test string
	var auth, mappingAt, splitAt, testAt *yaml.Node
	var allow []string
	at := func(dst *string, node **yaml.Node) func(*yaml.Node, string) {
		return func(n *yaml.Node, key string) { *node = n; p.text(dst)(n, key) }
	}
	var perSecond, burst, events float64
	p.fields(n, key, map[string]func(*yaml.Node, string){
		"name":   p.text(&src.Name),
		"tenant": p.text(&src.Tenant),
		"route":  p.text(&src.Route),
		"auth":   func(n *yaml.Node, _ string) { auth = n },
		"auth_needs": func(n *yaml.Node, key string) {
			if p.text(&needs)(n, key); needs != "all" && needs != "any" {
				p.fail(n, key, "it is neither all nor any", "write all, or any where one proof is enough")
			}
		},
		"allow":   p.texts(&allow),
		"mapping": at(&mapping, &mappingAt),
		"split":   at(&split, &splitAt),
		"test":    at(&test, &testAt),
		"rate": func(n *yaml.Node, key string) {
			p.fields(n, key, map[string]func(*yaml.Node, string){
				"per_second": p.number(&perSecond, 0.001, 1e6),
				"burst":      p.number(&burst, 1, 1e6),
			})
			if perSecond == 0 && len(p.errs) == 0 {
				p.fail(n, key, "it has no per_second", "write the deliveries a second")
			}
		},
		"max_body":     p.size(&src.MaxBody),
		"max_inflated": p.size(&src.MaxInflated),
		"max_events":   p.number(&events, 1, MaxEvents),
	})
	if n.Kind != yaml.MappingNode {
		return
	}
	src.any, src.MaxEvents = needs == "any", int(events)
	if perSecond > 0 {
		src.limiter = rate.NewLimiter(rate.Limit(perSecond), max(int(burst), int(perSecond), 1))
	}
	p.identity(n, key, src)
	p.addresses(n, key, allow, src)
	if auth != nil {
		p.auth(auth, key+".auth", src)
	}
	p.programs(key, src, program3{mapping, split, test}, [3]*yaml.Node{mappingAt, splitAt, testAt})
	p.set.sources = append(p.set.sources, src)
}

type program3 struct{ mapping, split, test string }

func (p *parser) identity(n *yaml.Node, key string, src *Source) {
	if !namePattern.MatchString(src.Name) {
		p.fail(n, key+".name", "it is missing or no name", "write small letters, digits, - and _, at most 64")
		return
	}
	if len(src.Tenant) > 128 || strings.ContainsFunc(src.Tenant, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		p.fail(n, key+".tenant", "it is too long or has control characters", "write at most 128 characters")
	}
	if src.Route == "" {
		src.Route = HooksPrefix + src.Name
		if src.Name == Phonely {
			src.Route = PhonelyRoute
		}
	}
	if !routePattern.MatchString(src.Route) || len(src.Route) > 256 || strings.Contains(src.Route, "/.") || src.Route == "/docs" || strings.HasPrefix(src.Route, "/docs/") {
		p.fail(n, key+".route", "it is no path of its own", "write for example "+HooksPrefix+src.Name+", of letters, digits, -, _, . and ~; /docs is postcall's")
	}
	for _, other := range p.set.sources {
		if other.Name == src.Name {
			p.fail(n, key+".name", "another source has it", "name each source once")
		}
		if other.Route == src.Route {
			p.fail(n, key+".route", "another source has it", "give each source a route of its own")
		}
	}
}

func (p *parser) addresses(n *yaml.Node, key string, allow []string, src *Source) {
	for i, text := range allow {
		prefix, err := ParsePrefix(text)
		if err != nil {
			p.fail(n, fmt.Sprintf("%s.allow[%d]", key, i), "it is no address", "write an address or a network, for example 203.0.113.0/24")
			continue
		}
		src.allow = append(src.allow, prefix)
	}
}

// ParsePrefix reads a network, or an address as a network of one.
func ParsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}

// programs compiles what is jq.
func (p *parser) programs(key string, src *Source, t program3, at [3]*yaml.Node) {
	var err error
	if t.mapping != "" {
		if src.mapping, err = p.mapping(src.Name, t.mapping); err != nil {
			p.fail(at[0], key+".mapping", err.Error(), "see `postcall mapping --help`")
		}
	}
	if t.split != "" {
		if src.split, err = compile(src.Name, t.split); err != nil {
			p.fail(at[1], key+".split", err.Error(), "write a jq program that makes the events of a body, for example .calls[]")
		}
	}
	if t.test != "" {
		if src.test, err = compile(src.Name, t.test); err != nil {
			p.fail(at[2], key+".test", err.Error(), "write a jq program that says true for a test, for example .agentName == \"Test\"")
		}
	}
}

// mapping finds a mapping: a shipped one by its name, a file by its path, which ends in .jq, or else the program itself.
func (p *parser) mapping(source, text string) (*Mapping, error) {
	switch {
	case namePattern.MatchString(text):
		return Shipped(source, text)
	case !strings.HasSuffix(text, ".jq") || strings.ContainsAny(text, "\n{("):
		return NewMapping(source, text)
	}
	b, err := readFile(p.path(text))
	if err != nil {
		return nil, err
	}
	return NewMapping(source, string(b))
}
