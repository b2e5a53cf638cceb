package source

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/net/http/httpguts"
)

func (p *parser) auth(n *yaml.Node, key string, src *Source) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.fail(n, key, "it is no list of proofs", "write a list, for example - {type: bearer, secrets: [/run/secrets/token]}")
		return
	}
	for i, item := range n.Content {
		if proof := p.proof(item, fmt.Sprintf("%s[%d]", key, i)); proof != nil {
			src.auth = append(src.auth, proof)
		}
	}
}

// AuthTypes are the kinds of proof.
var AuthTypes = []string{"header", "bearer", "basic", "query", "path", "hmac", "standard-webhooks", "retell", "elevenlabs", "vapi", "client-certificate"}

// proof reads one entry of auth. Which keys it has depends on its type.
func (p *parser) proof(n *yaml.Node, key string) proof {
	kind := ""
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "type" {
			kind = n.Content[i+1].Value
		}
	}
	if !slices.Contains(AuthTypes, kind) {
		p.fail(n, key+".type", "it is missing or unknown", "choose of "+strings.Join(AuthTypes, ", "))
		return nil
	}
	var ignored, name, user, ca string
	var paths, names []string
	known := map[string]func(*yaml.Node, string){"type": p.text(&ignored)}
	if kind == "client-certificate" {
		known["ca"], known["names"] = p.text(&ca), p.texts(&names)
	} else {
		known["secrets"] = p.texts(&paths)
	}
	sig := &signature{encoding: "hex", signed: []string{"{body}"}}
	switch kind {
	case "header", "query":
		known["name"] = p.text(&name)
	case "basic":
		known["username"] = p.text(&user)
	case "hmac":
		p.signatureKeys(known, sig)
	case "standard-webhooks":
		sig = standardWebhooks()
		known["tolerance"] = p.duration(&sig.window)
	case "retell":
		sig = retell()
		known["tolerance"] = p.duration(&sig.window)
	case "elevenlabs":
		sig = elevenLabs()
		known["tolerance"] = p.duration(&sig.window)
	}
	before := len(p.errs)
	p.fields(n, key, known)
	if len(p.errs) > before {
		return nil
	}
	if kind == "client-certificate" {
		return p.certificate(n, key, ca, names)
	}
	sec := p.secrets(n, key, paths, kind == "standard-webhooks")
	if sec == nil {
		return nil
	}
	switch kind {
	case "bearer":
		return &bearer{sec}
	case "path":
		return &pathSecret{sec}
	case "vapi":
		return &headerSecret{"X-Vapi-Secret", sec}
	case "basic":
		if user == "" || strings.Contains(user, ":") {
			p.fail(n, key+".username", "it is missing or has a colon", "write the user's name")
			return nil
		}
		return &basic{user, sec}
	case "query":
		if name == "" {
			p.fail(n, key+".name", "it is missing", "write the parameter's name, for example token")
			return nil
		}
		return &querySecret{name, sec}
	case "header":
		if !httpguts.ValidHeaderFieldName(name) {
			p.fail(n, key+".name", "it is missing or no name of a header", "write for example X-Webhook-Secret")
			return nil
		}
		return &headerSecret{http.CanonicalHeaderKey(name), sec}
	}
	sig.secrets = sec
	if !p.signature(n, key, sig) {
		return nil
	}
	return sig
}

func (p *parser) signatureKeys(known map[string]func(*yaml.Node, string), sig *signature) {
	known["header"] = p.text(&sig.header)
	known["prefix"] = p.text(&sig.prefix)
	known["separator"] = p.text(&sig.separator)
	known["signature_param"] = p.text(&sig.sigParam)
	known["timestamp_param"] = p.text(&sig.timeParam)
	known["encoding"] = p.text(&sig.encoding)
	known["id_header"] = p.text(&sig.idHeader)
	known["timestamp_header"] = p.text(&sig.time)
	known["tolerance"] = p.duration(&sig.window)
	known["timestamp_unit"] = func(n *yaml.Node, key string) {
		if n.Value != "s" && n.Value != "ms" {
			p.fail(n, key, "it is neither s nor ms", "write s for seconds or ms for milliseconds")
		}
		sig.millis = n.Value == "ms"
	}
	known["signed"] = func(n *yaml.Node, key string) {
		var err error
		if sig.signed, err = parseSigned(n.Value); n.Kind != yaml.ScalarNode || err != nil {
			p.fail(n, key, "it is no template", "write for example {timestamp}.{body}")
		}
	}
}

// signature checks that the parts of a signature fit together.
func (p *parser) signature(n *yaml.Node, key string, sig *signature) bool {
	before := len(p.errs)
	want := func(ok bool, part, wrong, cure string) {
		if !ok {
			p.fail(n, key+"."+part, wrong, cure)
		}
	}
	has := func(part string) bool { return slices.Contains(sig.signed, part) }
	timed := sig.time != "" || sig.timeParam != ""
	want(httpguts.ValidHeaderFieldName(sig.header), "header", "it is missing or no name of a header", "write for example X-Signature")
	want(slices.Contains([]string{"hex", "base64", "base64url"}, sig.encoding), "encoding", "it is unknown", "choose of hex, base64, base64url")
	want(has("{body}"), "signed", "it has no {body}", "sign the body, for example {timestamp}.{body}")
	want(has("{timestamp}") == timed, "signed", "{timestamp} and the place of the time don't go together",
		"name timestamp_header or timestamp_param, and have {timestamp} in signed, or none of them")
	want(has("{id}") == (sig.idHeader != ""), "signed", "{id} and id_header don't go together", "have both or none")
	want(sig.time == "" || sig.timeParam == "", "timestamp_param", "timestamp_header is there too", "name one of the two")
	want(sig.timeParam == "" || sig.sigParam != "", "timestamp_param", "there is no signature_param", "name both")
	for part, name := range map[string]string{"timestamp_header": sig.time, "id_header": sig.idHeader} {
		want(name == "" || httpguts.ValidHeaderFieldName(name), part, "it is no name of a header", "write for example X-Timestamp")
	}
	if sig.sigParam != "" && sig.separator == "" {
		sig.separator = ","
	}
	if timed && sig.window == 0 {
		sig.window = 5 * time.Minute
	}
	return len(p.errs) == before
}

// path makes a path of the file absolute.
func (p *parser) path(text string) string {
	if filepath.IsAbs(text) {
		return text
	}
	return filepath.Join(p.dir, text)
}

func (p *parser) secrets(n *yaml.Node, key string, paths []string, standard bool) *secrets {
	if len(paths) == 0 {
		p.fail(n, key+".secrets", "it is missing", "list the files that hold the secrets, one secret a line")
		return nil
	}
	s := &secrets{standard: standard}
	for _, path := range paths {
		s.paths = append(s.paths, p.path(path))
	}
	if _, err := s.reload(); err != nil {
		wrong, cure, _ := strings.Cut(err.Error(), "; ")
		p.fail(n, key+".secrets", wrong, cure)
		return nil
	}
	p.set.watched = append(p.set.watched, s)
	return s
}

func (p *parser) certificate(n *yaml.Node, key, ca string, names []string) proof {
	c := &certificates{path: p.path(ca), names: names}
	if ca == "" {
		p.fail(n, key+".ca", "it is missing", "name the file of the authority's certificates (PEM)")
		return nil
	}
	if _, err := c.reload(); err != nil {
		wrong, cure, _ := strings.Cut(err.Error(), "; ")
		p.fail(n, key+".ca", wrong, cure)
		return nil
	}
	p.set.cas = append(p.set.cas, c)
	return c
}

// Auth is a proof for a sender to sign with, apart from any file of sources: `postcall send --auth`.
type Auth struct {
	Type string // one of AuthTypes but hmac and client-certificate
	Name string // of the header or the query parameter
	User string // of basic authentication
	// Secrets are the texts of the secrets; the first one signs.
	Secrets []string
}

// Sender is a source that signs with one proof.
func Sender(a Auth) (*Source, error) {
	if a.Type == "hmac" || a.Type == "client-certificate" || !slices.Contains(AuthTypes, a.Type) {
		return nil, errors.New("there is no such kind of proof; choose of header, bearer, basic, query, path, standard-webhooks, retell, elevenlabs, vapi")
	}
	if len(a.Secrets) == 0 {
		return nil, errors.New("there is no secret; set POSTCALL_WEBHOOK_SECRET or --secret-file")
	}
	sec := &secrets{fixed: a.Secrets, standard: a.Type == "standard-webhooks"}
	if _, err := sec.reload(); err != nil {
		return nil, err
	}
	src := &Source{Name: "sender"}
	switch a.Type {
	case "header", "query":
		if a.Name == "" || a.Type == "header" && !httpguts.ValidHeaderFieldName(a.Name) {
			return nil, fmt.Errorf("the name of the %s is missing or wrong; write one, for example X-Token", a.Type)
		}
		if a.Type == "query" {
			src.auth = []proof{&querySecret{a.Name, sec}}
			break
		}
		src.auth = []proof{&headerSecret{http.CanonicalHeaderKey(a.Name), sec}}
	case "bearer":
		src.auth = []proof{&bearer{sec}}
	case "basic":
		src.auth = []proof{&basic{a.User, sec}}
	case "path":
		src.auth = []proof{&pathSecret{sec}}
	case "vapi":
		src.auth = []proof{&headerSecret{"X-Vapi-Secret", sec}}
	case "standard-webhooks", "retell", "elevenlabs":
		sig := map[string]func() *signature{"standard-webhooks": standardWebhooks, "retell": retell, "elevenlabs": elevenLabs}[a.Type]()
		sig.secrets = sec
		src.auth = []proof{sig}
	}
	return src, nil
}
