package main

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/sync/errgroup"

	"github.com/postcall/postcall/connector"
)

//go:embed sample.json
var sampleCall []byte

// sendOptions are the flags of send.
type sendOptions struct {
	url, secretFile string
	count           int
	rate            float64
	concurrency     int
	attempts        int
}

func sendCommand() *cobra.Command {
	var o sendOptions
	c := &cobra.Command{
		Use: "send [FILE...]", Short: "Deliver payloads as the sender does",
		Long: `send delivers each FILE ("-" is standard input; JSON or NDJSON) to a running postcall, as the sender's webhook does: one POST
an event, repeated while it is told to come back (503). Without FILE it delivers a built-in sample call under a new id.
With --count it delivers every payload that many times, each copy under an id of its own.

The secret is POSTCALL_WEBHOOK_SECRET, POSTCALL_WEBHOOK_SECRET_FILE or --secret-file.`,
		Example: `  postcall send
  postcall send testdata/webhooks/*.json
  postcall send --count 1000 --concurrency 16`,
		RunE: func(c *cobra.Command, args []string) error {
			if o.count < 1 || o.concurrency < 1 || o.rate < 0 || o.attempts < 1 {
				return usagef("--count, --concurrency and --attempts are at least 1, --rate at least 0; see postcall send --help")
			}
			return send(c.Context(), o, args, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&o.url, "url", "", "where to deliver (default http://POSTCALL_HTTP_ADDR"+connector.WebhookPath+")")
	c.Flags().StringVar(&o.secretFile, "secret-file", "", "file with the webhook's secret")
	c.Flags().IntVar(&o.count, "count", 1, "times each payload is delivered")
	c.Flags().Float64Var(&o.rate, "rate", 0, "deliveries a second at most; 0 is no limit")
	c.Flags().IntVar(&o.concurrency, "concurrency", 4, "deliveries at once")
	c.Flags().IntVar(&o.attempts, "attempts", 10, "attempts a delivery while the receiver is busy or away")
	return c
}

func send(ctx context.Context, o sendOptions, files []string, stdin io.Reader, stdout, stderr io.Writer) error {
	s, err := newSender(o)
	if err != nil {
		return err
	}
	var payloads [][]byte
	if len(files) == 0 {
		payloads = [][]byte{withCallID(sampleCall, "sample-"+strings.ToLower(rand.Text()[:10]))}
	}
	for _, f := range files {
		err := readPayloads(f, stdin, func(p payload) error {
			if p.err != nil {
				return fmt.Errorf("%s: %w", p.where(), p.err)
			}
			payloads = append(payloads, slices.Clone(p.body))
			return nil
		})
		if err != nil {
			return err
		}
	}
	total := len(payloads) * o.count
	bar := newBar(stderr, int64(total), "delivered")
	start := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(o.concurrency)
	var failed atomic.Int64
	var mu sync.Mutex
	for i := range total {
		if o.rate > 0 && !waitUntil(gctx, start.Add(time.Duration(float64(i)/o.rate*float64(time.Second)))) {
			break
		}
		body := payloads[i%len(payloads)]
		if o.count > 1 {
			body = withCallID(body, callIDOf(body)+"-"+strconv.Itoa(i/len(payloads)+1))
		}
		g.Go(func() error {
			if err := s.deliver(gctx, body); err != nil {
				failed.Add(1)
				mu.Lock()
				defer mu.Unlock()
				_, err = fmt.Fprintf(stderr, "postcall: call %s: %v\n", callIDOf(body), err)
				return err
			}
			bar.Increment()
			return nil
		})
	}
	err = errors.Join(g.Wait(), ctx.Err())
	bar.done()
	n := int64(total) - failed.Load()
	d := time.Since(start)
	_, _ = fmt.Fprintf(stdout, "%d of %d deliveries stored in %s (%.0f/s)\n", n, total, d.Round(time.Millisecond), float64(n)/d.Seconds())
	if err == nil && failed.Load() > 0 {
		return errReported
	}
	return err
}

// sender delivers to one webhook.
type sender struct {
	url, secret string
	attempts    int
	http        *http.Client
}

func newSender(o sendOptions) (*sender, error) {
	s := &sender{url: o.url, attempts: o.attempts, http: &http.Client{
		Timeout:   60 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: o.concurrency, Proxy: http.ProxyFromEnvironment},
	}}
	// Only what is about the sender counts here: send also runs where the connector is not configured.
	cfg, cfgErr := connector.LoadConfig()
	if o.secretFile != "" {
		b, err := os.ReadFile(o.secretFile)
		if err != nil {
			return nil, fmt.Errorf("read the secret of --secret-file: %w", err)
		}
		s.secret = strings.TrimSpace(string(b))
	} else if secrets := cfg.WebhookSecrets(); len(secrets) > 0 {
		s.secret = secrets[0].Reveal()
	}
	if s.url == "" {
		if cfg.HTTPAddr == "" {
			return nil, fmt.Errorf("set --url: POSTCALL_HTTP_ADDR can't be read: %w", cfgErr)
		}
		host, port, err := net.SplitHostPort(cfg.HTTPAddr)
		if err != nil {
			return nil, fmt.Errorf("set --url: POSTCALL_HTTP_ADDR is not host:port")
		}
		if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
			host = "127.0.0.1"
		}
		s.url = "http://" + net.JoinHostPort(host, port) + connector.WebhookPath
	}
	return s, nil
}

// deliver posts a body until it is stored or refused.
func (s *sender) deliver(ctx context.Context, body []byte) error {
	for attempt := 1; ; attempt++ {
		wait, err := s.post(ctx, body)
		if err == nil || wait == 0 || attempt >= s.attempts || ctx.Err() != nil {
			return err
		}
		if !waitUntil(ctx, time.Now().Add(wait)) {
			return ctx.Err()
		}
	}
}

// post makes one attempt. The wait is positive where another makes sense.
func (s *sender) post(ctx context.Context, body []byte) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	if s.secret != "" {
		req.Header.Set("Authorization", "Bearer "+s.secret)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return time.Second, fmt.Errorf("deliver (is `postcall serve` running there?): %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if res.StatusCode/100 == 2 {
		return 0, nil
	}
	var p struct{ Title, Detail string }
	_ = json.Unmarshal(answer, &p)
	err = fmt.Errorf("refused with %d %s: %s", res.StatusCode, p.Title, p.Detail)
	if res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusTooManyRequests {
		secs, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return time.Duration(max(secs, 1)) * time.Second, err
	}
	return 0, err
}

func callIDOf(body []byte) string {
	var v struct {
		CallID string `json:"callId"`
	}
	_ = json.Unmarshal(body, &v)
	return v.CallID
}

// withCallID returns the payload under another id, its other fields untouched.
func withCallID(body []byte, id string) []byte {
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil {
		return body
	}
	m["callId"], _ = json.Marshal(id)
	b, err := json.Marshal(m)
	if err != nil {
		return body
	}
	return b
}

func waitUntil(ctx context.Context, t time.Time) bool {
	d := time.Until(t)
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// progressBar is drawn on a terminal, for more than one step.
type progressBar struct {
	p *mpb.Progress
	b *mpb.Bar
}

func newBar(w io.Writer, total int64, name string) *progressBar {
	if !isTerminal(w) || total < 2 {
		return &progressBar{}
	}
	p := mpb.New(mpb.WithOutput(w))
	return &progressBar{p, p.AddBar(total,
		mpb.PrependDecorators(decor.Name(name+" "), decor.CountersNoUnit("%d / %d")),
		mpb.AppendDecorators(decor.AverageSpeed(0, "%.0f/s "), decor.AverageETA(decor.ET_STYLE_GO)))}
}

// Increment counts one step.
func (b *progressBar) Increment() {
	if b.b != nil {
		b.b.Increment()
	}
}

// set moves to a step of a total that may change.
func (b *progressBar) set(done, all int) {
	if b.b != nil {
		b.b.SetTotal(int64(all), false)
		b.b.SetCurrent(int64(done))
	}
}

func (b *progressBar) done() {
	if b.b != nil {
		b.b.Abort(false)
		b.p.Wait()
	}
}
