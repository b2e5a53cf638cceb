package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/postcall/postcall/connector/clickhouse"
)

// planted are calls full of personal data, as a sender would deliver them in the middle of the month.
var planted = []string{
	`{"callId":"pii-1","agentName":"Harbor Dental front desk","callerName":"Quentin Zabriskie","customerPhoneNumber":"+13125550177","mentionedEmail":"quentin.zabriskie@example.com",
		"callStarted":"2026-10-12T15:00:00Z","duration":90,"summary":"Quentin Zabriskie wants a call back at 312-555-0177.","longSummary":"Mr. Zabriskie (quentin.zabriskie@example.com) asked twice.",
		"purpose":"Reach Quentin Zabriskie","topic":"Call Quentin Zabriskie back","unansweredQuestions":["Can you call +1 (312) 555-0177?"],"actionItems":["Mail quentin.zabriskie@example.com"],
		"keyPoints":["Quentin Zabriskie is angry"],"followUp":"yes","followUpReason":"Quentin Zabriskie waits at 312 555 0177",
		"recordingUrl":"https://example.com/r/1?token=tok-4417-secret","campaign":{"contact":"quentin.zabriskie@example.com","phone":"+13125550177"},
		"transcript":[{"role":"agent","content":"May I have your name?"},{"role":"user","content":"Quentin Zabriskie, q u e n t i n. My number is three one two five five five oh one seven seven."},
			{"role":"agent","content":"And your card?"},{"role":"user","content":"4111 1111 1111 1111, and my social is 078-05-1120."},{"role":"user","content":"Mail me at quentin dot zabriskie at example dot com."}]}`,
	`{"callId":"pii-2","callerName":"Philippa Vandersloot","customerPhoneNumber":"3125550188","callStarted":"2026-10-13T09:30:00Z","isTest":true,
		"transcriptText":"Agent: Who is calling?\nUser: This is Philippa Vandersloot, reach me at 312.555.0188 or philippa_v@example.org.","summary":"Philippa Vandersloot called."}`,
	`{"callId":"pii-3","callerName":"Quentin Zabriskie","customerPhoneNumber":"+13125550177","callStarted":"2026-10-14T09:30:00Z","sentiment":"call 312-555-0177","endedReason":"caller_hangup",
		"transcript":[{"role":"user","content":"It's Zabriskie again, 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1."}],"unansweredQuestions":["Why did Quentin Zabriskie get no call at 312 555 0177?"]}`,
}

// person is a thing that no answer may hold, and why it is known.
type person struct {
	what string
	re   *regexp.Regexp
}

// persons are everybody of the month and of the planted calls, by name, number and address.
func persons(t *testing.T, bodies []string) (all []person) {
	t.Helper()
	seen := map[string]bool{}
	add := func(what, pattern string) {
		if !seen[pattern] {
			seen[pattern] = true
			all = append(all, person{what, regexp.MustCompile(`(?i)` + pattern)})
		}
	}
	business := map[string]bool{} // their numbers stay; the made-up world has so few that callers have some of them too
	for _, body := range bodies {
		var p struct{ BusinessPhoneNumber string }
		_ = json.Unmarshal([]byte(body), &p)
		business[strings.TrimPrefix(p.BusinessPhoneNumber, "+1")] = true
	}
	for _, body := range bodies {
		var p struct{ CallerName, CustomerPhoneNumber, MentionedEmail string }
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(p.CallerName, " ") && !strings.EqualFold(p.CallerName, "not available") {
			add("a name", `\b`+strings.ReplaceAll(regexp.QuoteMeta(p.CallerName), " ", `\s+`)+`\b`)
		}
		digits := regexp.MustCompile(`\D`).ReplaceAllString(p.CustomerPhoneNumber, "")
		if digits = strings.TrimPrefix(digits, "1"); len(digits) == 10 && !business[digits] {
			add("a number", strings.Join(strings.Split(digits, ""), `[ ().-]{0,3}`))
		}
		if strings.Contains(p.MentionedEmail, "@") {
			add("an address", regexp.QuoteMeta(p.MentionedEmail))
		}
	}
	for what, pattern := range map[string]string{
		"a surname": `zabriskie|vandersloot`, "a card": `4[ -]?1[ -]?1[ -]?1[ -]?1[ -]?1[ -]?1[ -]?1`, "a social security number": `078-?05-?1120`, "an address said": `dot zabriskie|philippa_v`,
		"a number said": `five five five oh|three one two five`, "a name spelled": `q u e n`, "a token": `tok-4417`,
	} {
		add(what, pattern)
	}
	return all
}

// answers are what was answered, and where.
type answers struct {
	t       *testing.T
	persons []person
	n       int
	bytes   int
}

func (a *answers) check(where, text string) {
	a.t.Helper()
	a.n++
	a.bytes += len(text)
	for _, p := range a.persons {
		if found := p.re.FindStringIndex(text); found != nil {
			a.t.Errorf("%s holds %s: ...%s...", where, p.what, text[max(0, found[0]-80):min(len(text), found[1]+40)])
		}
	}
}

// The month is delivered with personal data in it, goes through the real redaction into real stores, and every route and
// every tool is asked for everything: nothing personal comes out.
func TestNothingPersonalIsAnswered(t *testing.T) {
	w := newWorld(t)
	w.migrate()
	w.serve()
	month := []string{"--calls", "100", "--seed", "11", "--start", "2026-10-01"}
	bodies := append(strings.Split(strings.TrimSpace(w.must(append([]string{"demo-data"}, month...)...)), "\n"), planted...)
	for _, body := range planted {
		if code := w.deliver(body); code != http.StatusOK {
			t.Fatalf("answered %d", code)
		}
	}
	w.month(month...)
	base, token, log := w.serveAPI()
	a := &answers{t: t, persons: persons(t, bodies)}
	if len(a.persons) < 150 {
		t.Fatalf("only %d things to look for", len(a.persons))
	}
	var ids []string
	for _, body := range bodies {
		var p struct{ CallID string }
		_ = json.Unmarshal([]byte(body), &p)
		ids = append(ids, p.CallID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)

	rest := &restClient{t, base, token, a}
	rest.everything(ids)
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	remote, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: base + "/mcp", HTTPClient: &http.Client{Transport: bearer(token)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	(&toolClient{t, remote, a}).everything(ids)
	cmd := exec.Command(filepath.Join(w.bin, "postcall"), "mcp")
	cmd.Env = append(os.Environ(), w.apiEnv()...)
	local, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	(&toolClient{t, local, a}).everything([]string{"pii-1", "pii-2", "pii-3"})
	a.check("the log", log.String())
	if a.n < 600 || a.bytes < 1<<20 {
		t.Errorf("only %d answers of %d bytes", a.n, a.bytes)
	}
	t.Logf("%d answers of %d bytes hold none of %d personal things", a.n, a.bytes, len(a.persons))
}

// The search above can fail: what goes in is what it looks for.
func TestTheSearchForPersonalDataFinds(t *testing.T) {
	found := map[string]bool{}
	for _, p := range persons(t, planted) {
		for _, body := range planted {
			if p.re.MatchString(body) {
				found[p.what] = true
			}
		}
	}
	for _, what := range []string{"a name", "a surname", "a number", "an address", "a card", "a social security number", "an address said", "a number said", "a name spelled", "a token"} {
		if !found[what] {
			t.Errorf("%s is not found in what was planted", what)
		}
	}
}

// personal are questions that ask for it.
var personal = []string{"Quentin Zabriskie", "312-555-0177", "+13125550177", `"quentin.zabriskie@example.com"`, "card number 4111", "name phone email", "call back", "Vandersloot"}

type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

const october = "from=2026-10-01&to=2026-11-01"

// restClient asks every route.
type restClient struct {
	t           *testing.T
	base, token string
	*answers
}

func (c *restClient) get(path string, want int) string {
	c.t.Helper()
	res, err := (&http.Client{Transport: bearer(c.token)}).Get(c.base + path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != want {
		c.t.Errorf("%s answered %d %s", path, res.StatusCode, b)
	}
	c.check("GET "+path, string(b)+fmt.Sprint(res.Header))
	return string(b)
}

func (c *restClient) everything(ids []string) {
	for _, id := range ids {
		if got := c.get("/phonely/events/"+id, 200); !strings.Contains(got, "redact-pii") {
			c.t.Errorf("%s went through no redaction: %s", id, got)
		}
	}
	c.get("/phonely/events?latest=10&tests=true", 200)
	c.get("/openapi.json", 200)
	c.get("/metrics", 200)
	for next := "/calls?limit=50&tests=true&" + october; next != ""; {
		var page struct{ NextCursor string }
		_ = json.Unmarshal([]byte(c.get(next, 200)), &page)
		if next = ""; page.NextCursor != "" {
			next = "/calls?limit=50&cursor=" + page.NextCursor
		}
	}
	for _, words := range personal {
		for _, role := range []string{"", "&role=user", "&role=agent"} {
			c.get("/calls?limit=50&tests=true&"+october+role+"&query="+url.QueryEscape(words), 200)
		}
		c.get("/phonely/events/"+url.PathEscape(words), 404)
		c.get("/phonely/events?latest="+url.QueryEscape(words), 400)
		c.get("/calls?from="+url.QueryEscape(("2026-10-01 " + words)[:min(len(words)+11, 40)]), 422)
		c.get("/metrics/"+url.PathEscape(words), 404)
	}
	for i := range clickhouse.Metrics {
		m := &clickhouse.Metrics[i]
		for _, d := range m.Dimensions() {
			if d.Name != "tenant" {
				c.get("/metrics/"+m.Name+"?limit=1000&"+october+"&group_by="+d.Name, 200)
			}
		}
	}
}

// toolClient asks every tool and every resource.
type toolClient struct {
	t *testing.T
	s *mcp.ClientSession
	*answers
}

func (c *toolClient) call(name string, args map[string]any) map[string]any {
	c.t.Helper()
	if name != "get_call" && name != "phonely-get-latest-call" {
		with := map[string]any{"from": "2026-10-01", "to": "2026-11-01"}
		if args["cursor"] != nil {
			with = map[string]any{}
		}
		maps.Copy(with, args)
		args = with
	}
	res, err := c.s.CallTool(c.t.Context(), &mcp.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		c.t.Fatalf("%s %v: %v", name, args, err)
	}
	b, err := json.Marshal(res)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.IsError {
		c.t.Errorf("%s %v: %s", name, args, b)
	}
	c.check(fmt.Sprint(name, args), string(b))
	out, _ := res.StructuredContent.(map[string]any)
	return out
}

func (c *toolClient) everything(ids []string) {
	for _, id := range ids {
		for next := any(1); next != nil; {
			next = c.call("get_call", map[string]any{"call_id": id, "first_turn": next})["transcript"].(map[string]any)["nextTurn"]
		}
	}
	c.call("phonely-get-latest-call", map[string]any{"tests": true})
	for cursor := any(""); cursor != nil; {
		args := map[string]any{"limit": 50, "tests": true}
		if cursor != "" {
			args = map[string]any{"limit": 50, "cursor": cursor}
		}
		cursor = c.call("search_transcripts", args)["nextCursor"]
	}
	for _, words := range personal {
		c.call("search_transcripts", map[string]any{"query": words, "limit": 50, "tests": true})
		c.call("search_transcripts", map[string]any{"query": words, "limit": 50, "role": "user"})
	}
	c.call("top_unanswered_questions", map[string]any{"limit": 1000})
	c.call("list_dimensions", nil)
	for _, d := range clickhouse.Dimensions {
		if d.Name != "tenant" {
			c.call("list_dimensions", map[string]any{"dimension": d.Name})
		}
	}
	for i := range clickhouse.Metrics {
		c.call("call_metrics", map[string]any{"metric": clickhouse.Metrics[i].Name, "group_by": []any{"topic", "ended_reason", "sentiment", "day"}, "limit": 1000})
	}
	list, err := c.s.ListResources(c.t.Context(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, r := range list.Resources {
		res, err := c.s.ReadResource(c.t.Context(), &mcp.ReadResourceParams{URI: r.URI})
		if err != nil {
			c.t.Fatal(err)
		}
		c.check(r.URI, res.Contents[0].Text)
	}
}
