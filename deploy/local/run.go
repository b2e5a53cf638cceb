package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// runOptions say what `run` does beside starting the engines.
type runOptions struct {
	up      upOptions
	once    bool   // end as soon as the sample calls have been shown
	binary  string // the connector
	samples string // a folder of payloads
	calls   int    // of the month that is delivered too
	http    int
	admin   int
}

// demo is one connector on a running pair of engines.
type demo struct {
	engines    *instance
	server     *server
	binary     string
	env        []string // the connector's own settings
	settings   []string // some of them, of this demonstration
	httpURL    string
	adminAddr  string
	consoleURL string
	files      []string // the payloads to deliver
	calls      []sample
	month      month // delivered behind them
}

// runDemo starts the engines and the connector, delivers the samples and shows what came of them in both stores. Then
// it waits for Ctrl-C, and ends the connector before the engines.
func runDemo(ctx context.Context, c cache, o runOptions) error {
	files, calls, err := readSamples(o.samples)
	if err != nil {
		return err
	}
	if !exists(o.binary) {
		return fmt.Errorf("%s is missing: make build", o.binary)
	}
	d := &demo{binary: o.binary, files: files, calls: calls, month: month{calls: o.calls, timezone: timezone()}}
	if o.up.data == "" && !o.once {
		o.up.data = filepath.Join(c.dir, "run")
	}
	if d.engines, err = startUp(ctx, c, o.up); err != nil {
		return err
	}
	err = d.configure(c, o)
	if err == nil {
		err = d.play(ctx, o.once)
	}
	if ctx.Err() != nil && !o.once {
		err = nil // Ctrl-C is how it ends
	}
	if d.server != nil {
		err = errors.Join(err, d.server.close())
	}
	return errors.Join(err, d.engines.close())
}

// configure makes the connector's environment: ports, secrets, folders. The same settings go to a file that a shell
// can read.
func (d *demo) configure(c cache, o runOptions) error {
	http, err1 := choosePort("http-port", o.http, 8080)
	admin, err2 := choosePort("admin-port", o.admin, 9090)
	key, err3 := secretFile(filepath.Join(c.dir, "secrets", "redact-key"))
	secret, err4 := secretFile(filepath.Join(c.dir, "secrets", "webhook-secret"))
	console, err5 := secretFile(filepath.Join(c.dir, "secrets", "console-password"))
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	dir := filepath.Join(d.engines.state.Data, "postcall")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	d.adminAddr = fmt.Sprintf("127.0.0.1:%d", admin)
	d.env = []string{
		"POSTCALL_DATA_DIR=" + filepath.Join(dir, "data"),
		fmt.Sprintf("POSTCALL_HTTP_ADDR=127.0.0.1:%d", http),
		"POSTCALL_ADMIN_ADDR=" + d.adminAddr,
		"POSTCALL_WEBHOOK_SECRET=" + secret,
		"POSTCALL_REDACT_KEY=" + key,
		"POSTCALL_CONSOLE_PASSWORD=" + console,
	}
	d.consoleURL = fmt.Sprintf("http://operator:%s@%s/console/", console, d.adminAddr)
	d.env = append(d.env, d.settings...)
	for _, v := range d.engines.state.Env {
		if !strings.HasPrefix(v, testPrefix) {
			d.env = append(d.env, v)
		}
	}
	d.httpURL = fmt.Sprintf("http://127.0.0.1:%d/phonely/webhook", http)
	ready := "http://" + d.adminAddr + "/readyz"
	d.server = &server{
		name: "postcall", dir: dir, argv: []string{d.binary, "serve"}, env: d.environ(), stop: syscall.SIGTERM,
		healthy: func(ctx context.Context) error { return getOK(ctx, ready) },
	}
	exports := "export " + strings.Join(d.env, "\nexport ") + "\n"
	return os.WriteFile(d.envFile(), []byte(exports), 0o600)
}

func (d *demo) envFile() string { return filepath.Join(d.engines.state.Data, "env") }

// testPrefix marks the variables that are for tests only. The connector takes every POSTCALL_ variable that it does
// not know for a typing error.
const testPrefix = "POSTCALL_TEST_"

// environ is the user's environment, whose POSTCALL_ settings apply too, with the settings of this run.
func (d *demo) environ() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "POSTCALL_CACHE=") && !strings.HasPrefix(v, testPrefix) {
			env = append(env, v)
		}
	}
	return append(env, d.env...)
}

// begin makes the tables and starts the server.
func (d *demo) begin(ctx context.Context) error {
	if err := d.postcall(ctx, "Creating tables and views", "migrate", "apply"); err != nil {
		return err
	}
	p := startProgress("Starting postcall", nil)
	err := d.server.start(ctx)
	p.done(err)
	return err
}

// play is the demonstration itself.
func (d *demo) play(ctx context.Context, once bool) error {
	if err := d.begin(ctx); err != nil {
		return err
	}
	if err := d.deliver(ctx); err != nil {
		return err
	}
	if err := d.show(ctx); err != nil {
		return fmt.Errorf("%w; the end of %s:\n%s", err, d.server.log(), tail(d.server.log(), 20))
	}
	if once {
		return nil
	}
	d.printHelp()
	select {
	case <-ctx.Done():
		return nil
	case <-d.server.done:
		return d.server.failure()
	case e := <-d.engines.ended():
		return e.failure()
	}
}

// postcall runs one command of the connector; its output is shown only if it fails.
func (d *demo) postcall(ctx context.Context, text string, args ...string) error {
	p := startProgress(text, nil)
	_, err := d.output(ctx, args...)
	p.done(err)
	return err
}

// output runs one command of the connector and returns what it prints.
func (d *demo) output(ctx context.Context, args ...string) ([]byte, error) {
	var out, problem bytes.Buffer
	cmd := exec.CommandContext(ctx, d.binary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = d.environ(), &out, &problem
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(d.binary), args[0], err, out.Bytes(), problem.Bytes())
	}
	return out.Bytes(), nil
}

// printHelp prints where everything is, and three commands to try.
func (d *demo) printHelp() {
	in := d.engines
	web := in.setting("POSTCALL_TEST_CLICKHOUSE_HTTP")
	fmt.Printf(`
Webhook        %s
Console        %s
Metrics        http://%s/metrics
ClickHouse     %s, native %s, user %s
Elasticsearch  %s
Log            %s

Three commands to try in another terminal, from here:

  . %s
  %s send %s
  curl "%s/?user=%s&password=$POSTCALL_CLICKHOUSE_PASSWORD" -d 'SELECT call_id, agent_name, duration FROM postcall.calls FORMAT PrettyCompact'
  curl "$POSTCALL_ELASTICSEARCH_URL/call-transcripts/_search?q=%s&pretty"

Ctrl-C stops it all.
`, d.httpURL, d.consoleURL, d.adminAddr, web, in.setting("POSTCALL_CLICKHOUSE_ADDR"), clickhouseUser, in.setting("POSTCALL_ELASTICSEARCH_URL"),
		d.server.log(), shown(d.envFile()), shown(d.binary), shown(d.files[0]), web, clickhouseUser, d.calls[0].word())
}

// shown is path as a user in the working folder would write it.
func shown(path string) string {
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, path); err == nil && !strings.HasPrefix(rel, "..") {
			return rel
		}
	}
	return path
}
