package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/sync/errgroup"

	"github.com/postcall/postcall/connector"
	"github.com/postcall/postcall/connector/source"
)

// sendOptions are the flags of send.
type sendOptions struct {
	url, secretFile, ca      string
	source, as               string
	auth, authName, authUser string
	idPath, encoding         string
	count, batch             int
	duplicates, corrections  float64
	lines                    bool
	rate                     float64
	concurrency              int
	attempts                 int
	serverName               string
	test, verify             bool
	verifyTimeout            time.Duration
}

func sendCommand() *cobra.Command {
	var o sendOptions
	c := &cobra.Command{
		Use: "send [FILE...]", Short: "Deliver payloads as the sender does",
		Long: `send delivers each FILE ("-" is standard input; JSON or NDJSON) to a running postcall, as the sender's webhook does: one POST
an event, repeated while it is told to come back (429, 503). Without FILE it delivers a built-in sample call under a new id:
Phonely's, or with --as that of another vendor.

The secret is POSTCALL_WEBHOOK_SECRET, POSTCALL_WEBHOOK_SECRET_FILE or --secret-file, and goes as a bearer token, or as
--auth says: ` + strings.Join(sendAuth, ", ") + `. With --source it signs as that source of
POSTCALL_SOURCES asks for, and delivers to its route.

With --count it delivers every payload that many times, each copy under an id of its own, which stands at --id-path.
--duplicates and --corrections are shares of the calls that come a second time, later: as they were, or with another
summary. --batch puts several events into one body, --lines as NDJSON, --encoding compresses it.

With --verify it asks the stores of POSTCALL_SINKS for each call until they have it; --test marks the calls as tests, which are
stored and left out of every metric. Together they are a check of the whole way: "helm test" is one.`,
		Example: `  postcall send
  postcall send testdata/webhooks/*.json
  postcall send --test --verify
  postcall send --as retell --source retell
  postcall send --auth standard-webhooks --secret-file whsec.txt --url https://calls.example.com/hooks/acme custom.json
  postcall send --count 1000 --concurrency 16 --duplicates 0.1 --corrections 0.1 --batch 20 --encoding gzip`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return send(c.Context(), o, args, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&o.url, "url", "", "where to deliver (default POSTCALL_HTTP_ADDR"+connector.WebhookPath+", or the route of --source)")
	f.StringVar(&o.secretFile, "secret-file", "", "file with the webhook's secret")
	f.StringVar(&o.ca, "ca", "", "file of the authority (PEM) that signed the server's certificate")
	f.StringVar(&o.source, "source", "", "source of POSTCALL_SOURCES to deliver to, and to sign for")
	f.StringVar(&o.as, "as", source.Phonely, "whose sample call to deliver: "+strings.Join(source.ShippedNames(), ", "))
	f.StringVar(&o.auth, "auth", "bearer", "how to show the secret: "+strings.Join(sendAuth, ", "))
	f.StringVar(&o.authName, "auth-name", "", "name of the header or query parameter")
	f.StringVar(&o.authUser, "auth-user", "", "user of basic authentication")
	f.StringVar(&o.idPath, "id-path", "", "where the call's id stands, for example data.id (default that of --as)")
	f.StringVar(&o.encoding, "encoding", "", "gzip, deflate or zstd")
	f.IntVar(&o.count, "count", 1, "times each payload is delivered")
	f.IntVar(&o.batch, "batch", 1, "events in one body")
	f.BoolVar(&o.lines, "lines", false, "events of a body as NDJSON instead of an array")
	f.Float64Var(&o.duplicates, "duplicates", 0, "share of the calls that come again as they were")
	f.Float64Var(&o.corrections, "corrections", 0, "share of the calls that come again with another summary")
	f.Float64Var(&o.rate, "rate", 0, "deliveries a second at most; 0 is no limit")
	f.IntVar(&o.concurrency, "concurrency", 4, "deliveries at once")
	f.StringVar(&o.serverName, "server-name", "", "name in the server's certificate, where it is not that of --url")
	f.BoolVar(&o.test, "test", false, "mark the calls as tests (payloads in Phonely's form)")
	f.BoolVar(&o.verify, "verify", false, "wait until the store of every enabled sink has the calls")
	f.DurationVar(&o.verifyTimeout, "verify-timeout", time.Minute, "how long --verify waits")
	f.IntVar(&o.attempts, "attempts", 10, "attempts a delivery while the receiver is busy or away")
	return c
}

func (o *sendOptions) check() error {
	switch {
	case o.count < 1 || o.concurrency < 1 || o.rate < 0 || o.attempts < 1 || o.batch < 1:
		return usagef("--count, --concurrency, --batch and --attempts are at least 1, --rate at least 0; see postcall send --help")
	case o.duplicates < 0 || o.duplicates > 1 || o.corrections < 0 || o.corrections > 1:
		return usagef("--duplicates and --corrections are shares, 0 to 1")
	case o.encoding != "" && encoders[o.encoding] == nil:
		return usagef("--encoding is gzip, deflate or zstd")
	case o.test && o.as != source.Phonely:
		return usagef("--test marks payloads in Phonely's form; a source of POSTCALL_SOURCES says by its test what is one")
	case o.verifyTimeout <= 0:
		return usagef("--verify-timeout is positive")
	case idPaths[o.as] == "":
		return usagef("--as is one of %s", strings.Join(source.ShippedNames(), ", "))
	}
	return nil
}

func send(ctx context.Context, o sendOptions, files []string, stdin io.Reader, stdout, stderr io.Writer) error {
	s, err := newSender(o)
	if err != nil {
		return err
	}
	if o.idPath == "" {
		o.idPath = idPaths[o.as]
	}
	plan, err := newPlan(o, files, stdin)
	if err != nil {
		return err
	}
	var v *verifier
	if o.verify {
		if v, err = newVerifier(ctx, plan, s.tenant()); err != nil {
			return err
		}
		defer v.close()
	}
	bar := newBar(stderr, int64(len(plan.bodies)), "delivered")
	start := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(o.concurrency)
	var failed atomic.Int64
	var mu sync.Mutex
	for i := range plan.bodies {
		if o.rate > 0 && !waitUntil(gctx, start.Add(time.Duration(float64(i)/o.rate*float64(time.Second)))) {
			break
		}
		g.Go(func() error {
			body, name := plan.body(i)
			if err := s.deliver(gctx, body); err != nil {
				failed.Add(1)
				mu.Lock()
				defer mu.Unlock()
				_, err = fmt.Fprintf(stderr, "postcall: %s: %v\n", name, err)
				return err
			}
			bar.Increment()
			return nil
		})
	}
	err = g.Wait()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	bar.done()
	n := int64(len(plan.bodies)) - failed.Load()
	d := time.Since(start)
	_, _ = fmt.Fprintf(stdout, "%d of %d deliveries stored in %s (%.0f/s)\n", n, len(plan.bodies), d.Round(time.Millisecond), float64(n)/d.Seconds())
	if err == nil && failed.Load() > 0 {
		return errReported
	}
	if err == nil && v != nil {
		return v.wait(ctx, o.verifyTimeout, stdout)
	}
	return err
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
