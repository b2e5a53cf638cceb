package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/postcall/postcall/connector/clickhouse"
)

const instructions = "postcall has the calls that AI voice agents took: redacted transcripts, summaries and metrics. Begin with list_dimensions or " +
	"search_transcripts; get_call shows a transcript. Times are UTC, days those of the business. " + Notice

type callerKey struct{}

// withCaller carries who was authenticated to the tools; the handler of MCP has only the request to know it by.
func withCaller(ctx context.Context, c *caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// mcpHandler serves MCP over HTTP to whom was authenticated. It keeps no sessions, and takes nothing that a page of another
// origin sends. The SDK's check of the Host header against DNS rebinding is off: a page in a browser has no token, and behind a
// proxy on the same machine it refuses everybody.
func (a *API) mcpHandler() http.Handler {
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problemf(403, "a page of another origin may not ask").write(w)
	}))
	return origins.Handler(mcp.NewStreamableHTTPHandler(func(r *http.Request) *mcp.Server {
		c, ok := r.Context().Value(callerKey{}).(*caller)
		if !ok {
			return nil // 400; authenticate comes first
		}
		return a.mcpServer(c)
	}, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true, DisableLocalhostProtection: true, MaxRequestBodyBytes: maxMCPBody, PropagateRequestCancellation: true}))
}

// ServeStdio serves MCP to the process that started this one, until its input or ctx ends. Whoever can start it, with the
// credentials in its environment, may read the tenant's calls: there is no token.
func (a *API) ServeStdio(ctx context.Context, tenant string, in io.ReadCloser, out io.WriteCloser) error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	c := &caller{name: "stdio", tenant: tenant, scopes: Scopes, key: key}
	return a.mcpServer(c).Run(ctx, &mcp.IOTransport{Reader: in, Writer: out})
}

// mcpServer has the tools that the caller may use and whose stores are enabled.
func (a *API) mcpServer(c *caller) *mcp.Server {
	c.once.Do(func() {
		c.server = mcp.NewServer(&mcp.Implementation{Name: "postcall", Title: "postcall: calls of AI voice agents", Version: a.version},
			&mcp.ServerOptions{Instructions: instructions, Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}}})
		c.server.AddReceivingMiddleware(a.guard)
		a.addTools(c)
		if a.has(metricStore) && c.may(ScopeMetrics) {
			a.addResources(c)
		}
	})
	return c.server
}

// guard keeps one question from ending the process: the SDK answers in goroutines of its own, where a panic would. It gives
// a call without arguments empty ones, since the SDK (1.8.0) panics over null where a schema has defaults.
func (a *API) guard(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (res mcp.Result, err error) {
		defer func() {
			if v := recover(); v != nil {
				a.log.Error("a bug: a question ended in a panic", "panic", fmt.Sprintf("%T", v), "method", method)
				res, err = nil, errors.New("a bug; nothing was answered")
			}
		}()
		if call, ok := req.(*mcp.CallToolRequest); ok && call.Params != nil && strings.TrimSpace(string(call.Params.Arguments)) == "null" {
			call.Params.Arguments = json.RawMessage("{}")
		}
		return next(ctx, method, req)
	}
}

// tool is a question of MCP.
type tool struct {
	name, title, text string
	scope             Scope
	store             store
	params            []parameter
}

// add offers a tool, unless its store or its scope is missing.
func add[Out any](a *API, c *caller, t tool, do func(ctx context.Context, q asked) (Out, error)) {
	if !a.has(t.store) || !c.may(t.scope) {
		return
	}
	in := &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{}, AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}}}
	for _, p := range t.params {
		in.Properties[p.name] = p.schema
		in.PropertyOrder = append(in.PropertyOrder, p.name)
		if p.required {
			in.Required = append(in.Required, p.name)
		}
	}
	closed := false
	mcp.AddTool(c.server, &mcp.Tool{
		Name: t.name, Title: t.title, Description: t.text, InputSchema: in,
		Annotations: &mcp.ToolAnnotations{Title: t.title, ReadOnlyHint: true, IdempotentHint: true, DestructiveHint: &closed, OpenWorldHint: &closed},
	}, func(ctx context.Context, _ *mcp.CallToolRequest, q asked) (*mcp.CallToolResult, Out, error) {
		started, status := time.Now(), http.StatusInternalServerError
		defer func() { a.meter.done(t.name, status, time.Since(started)) }()
		var out Out
		done, err := a.take()
		if err == nil {
			defer done()
			out, err = do(ctx, q)
		}
		if err != nil {
			return nil, out, a.failed(rand.Text()[:16], err)
		}
		res, err := tell(out)
		if err == nil {
			status = http.StatusOK
		}
		return res, out, err
	})
}

// addResources offers the definitions of the metrics.
func (a *API) addResources(c *caller) {
	c.server.AddResource(&mcp.Resource{
		URI: "postcall://metrics", Name: "metrics", Title: "All metrics", MIMEType: "text/markdown",
		Description: "Every metric of call_metrics, what it means and what it can be grouped by",
	}, fixed(allMetrics()))
	for i := range clickhouse.Metrics {
		m := &clickhouse.Metrics[i]
		b, err := json.MarshalIndent(entryOf(m), "", "  ")
		if err != nil {
			panic("api: a metric is no JSON: " + err.Error()) // a bug, seen by every test
		}
		c.server.AddResource(&mcp.Resource{
			URI: "postcall://metrics/" + m.Name, Name: m.Name, Title: m.Name, MIMEType: "application/json", Description: m.Definition,
		}, fixed(string(b)))
	}
}

// fixed is a resource that is always the same.
func fixed(text string) mcp.ResourceHandler {
	return func(_ context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		kind := "application/json"
		if strings.HasPrefix(text, "#") {
			kind = "text/markdown"
		}
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.Params.URI, MIMEType: kind, Text: text}}}, nil
	}
}

func allMetrics() string {
	var b strings.Builder
	b.WriteString("# Metrics\n")
	for _, m := range catalogueOf().Metrics {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n", m.Name, m.Definition)
		for _, c := range m.Columns {
			fmt.Fprintf(&b, "- `%s` (%s): %s\n", c.Name, c.Unit, c.Meaning)
		}
		var names []string
		for _, d := range m.Dimensions {
			names = append(names, d.Name)
		}
		fmt.Fprintf(&b, "\nGrouped by %s", strings.Join(names, ", "))
		if len(m.Key) > 0 {
			fmt.Fprintf(&b, "; always by %s", strings.Join(m.Key, ", "))
		}
		b.WriteString(".\n")
	}
	return b.String()
}
