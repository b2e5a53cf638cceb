package console

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/transforms"
)

// Pipeline is what the console shows and does; *connector.Running is one.
type Pipeline interface {
	Status(ctx context.Context) (*connector.Status, error)
	Here() connector.Here
	Latest(ctx context.Context, limit int) ([]connector.LatestCall, error)
	Dead(ctx context.Context, filter connector.DeadFilter, f func(*connector.DeadLetter) error) error
	DeadLetter(ctx context.Context, stage, id string) (*connector.DeadLetter, error)
	DeadEvent(l *connector.DeadLetter) (*transforms.Event, error)
	DeadBody(l *connector.DeadLetter) ([]byte, error)
	PurgeDead(ctx context.Context, l *connector.DeadLetter) error
	Replay(ctx context.Context, l *connector.DeadLetter) error
}

var _ Pipeline = (*connector.Running)(nil)

//go:embed page.html console.css console.js icon.svg
var files embed.FS

var pages = template.Must(template.New("").Funcs(functions).ParseFS(files, "page.html"))

// security is sent with every answer. HTML is never made of text in the page, so nothing needs a policy for that.
const security = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// console is the page.
type console struct {
	p    Pipeline
	log  *slog.Logger
	auth *auth
	look look

	acting sync.Mutex // one replay or purge at a time
}

// New returns what is served under connector.ConsolePath. Without a password it says how to turn it on, with 404.
func New(cfg connector.Config, p Pipeline, log *slog.Logger) http.Handler {
	if cfg.Console.Password == "" {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the console is off: set POSTCALL_CONSOLE_PASSWORD (12 characters at least) to turn it on", http.StatusNotFound)
		})
	}
	c := &console{p: p, log: log, auth: newAuth(cfg.ConsolePassword, log)}
	c.look.p = p
	mux := http.NewServeMux()
	mux.HandleFunc("GET /console/{$}", c.page)
	mux.HandleFunc("GET /console/state", c.state)
	mux.HandleFunc("GET /console/dead/{stage}/{id}", c.letter)
	mux.HandleFunc("POST /console/dead/{stage}/{id}/{act}", c.act)
	for _, name := range []string{"console.css", "console.js", "icon.svg"} {
		mux.HandleFunc("GET /console/"+name, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, name) })
	}
	return c.guarded(http.NewCrossOriginProtection().Handler(mux))
}

// guarded adds what every answer has, and asks for the password.
func (c *console) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", security)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // without any, a form's Origin would be null
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if c.auth.pass(w, r) {
			r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
			next.ServeHTTP(w, r)
		}
	})
}

// page is the whole page, with the outcome of what was done before it.
func (c *console) page(w http.ResponseWriter, r *http.Request) {
	v := c.view(r.Context())
	v.Said = done[r.URL.Query().Get("done")]
	c.write(w, http.StatusOK, "page", v)
}

// state is what changes of the page.
func (c *console) state(w http.ResponseWriter, r *http.Request) {
	c.write(w, http.StatusOK, "state", c.view(r.Context()))
}

func (c *console) write(w http.ResponseWriter, status int, name string, v any) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, v); err != nil {
		c.log.Error("a page of the console can't be made", "page", name, "err", err)
		http.Error(w, "a bug: this page can't be made; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // who asked may be gone
}

// view takes part in a look, for as long as who asks waits.
func (c *console) view(ctx context.Context) *view {
	s, err := c.look.at(ctx, time.Now())
	return newView(s, c.p.Here(), err, time.Now())
}
