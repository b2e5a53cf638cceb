package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const secret = "faults-webhook-secret"

// world is a postcall of a row's own: a data directory, a database and an index.
type world struct {
	h     *harness
	dir   string // data/, plugins/ and log are in it
	bin   string // folder of the program
	env   map[string]string
	db    string
	index string
	sinks []string
	ledger
	more []*world // other postcalls on the same streams and stores, which take their share of the deliveries

	mu    sync.Mutex
	p     *process
	http  string
	admin string
	what  string // what the row is doing
}

// newWorld makes the directory, the database and the index.
func (h *harness) newWorld(ctx context.Context, events int, env ...string) (*world, error) {
	name := fmt.Sprintf("faults_%08x", rand.Uint32())
	w := &world{
		h: h, dir: filepath.Join(h.dir, name), bin: h.bin, db: name, index: strings.ReplaceAll(name, "_", "-"),
		sinks: []string{"clickhouse", "elasticsearch"},
	}
	w.ledger = newLedger(name, events)
	var err error
	if w.http, err = freeAddr(); err != nil {
		return nil, err
	}
	if w.admin, err = freeAddr(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, err
	}
	w.env = map[string]string{
		"POSTCALL_DATA_DIR": filepath.Join(w.dir, "data"), "POSTCALL_HTTP_ADDR": w.http, "POSTCALL_ADMIN_ADDR": w.admin,
		"POSTCALL_WEBHOOK_SECRET": secret, "POSTCALL_REDACT_KEY": "0123456789abcdef0123456789abcdef",
		"POSTCALL_CLICKHOUSE_DATABASE": w.db, "POSTCALL_ELASTICSEARCH_INDEX": w.index,
		"POSTCALL_BATCH_MAX_AGE": "100ms", "POSTCALL_PLUGIN_DIR": filepath.Join(h.bin, "plugins"),
	}
	w.set(env...)
	for _, e := range []*engine{h.clickhouse, h.elasticsearch} {
		if err := e.fit(ctx); err != nil {
			return nil, err
		}
		maps.Copy(w.env, e.env)
	}
	if out, err := w.postcall(ctx, "migrate", "apply"); err != nil {
		return nil, fmt.Errorf("postcall migrate apply: %w\n%s", err, out)
	}
	h.worlds = append(h.worlds, w)
	return w, w.keepParts(ctx)
}

// keepParts sees to it that no merge joins two rows of a call, over restarts of ClickHouse too.
func (w *world) keepParts(ctx context.Context) error {
	_, err := w.query(ctx, "ALTER TABLE "+w.db+".calls_raw MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1, "+
		"max_bytes_to_merge_at_min_space_in_pool = 1, parts_to_delay_insert = 100000, parts_to_throw_insert = 100000")
	if err == nil {
		_, err = w.query(ctx, "SYSTEM STOP MERGES "+w.db+".calls_raw")
	}
	return err
}

// all are the postcalls that take deliveries.
func (w *world) all() []*world { return append([]*world{w}, w.more...) }

// twin adds a world with addresses and a folder of its own, and everything else of w.
func (w *world) twin() (*world, error) {
	t := &world{h: w.h, dir: filepath.Join(w.dir, fmt.Sprint("twin-", len(w.more)+1)), bin: w.bin, env: maps.Clone(w.env), db: w.db, index: w.index, sinks: w.sinks}
	var err error
	if t.http, err = freeAddr(); err != nil {
		return nil, err
	}
	if t.admin, err = freeAddr(); err != nil {
		return nil, err
	}
	t.set("POSTCALL_DATA_DIR="+filepath.Join(t.dir, "data"), "POSTCALL_HTTP_ADDR="+t.http, "POSTCALL_ADMIN_ADDR="+t.admin)
	w.more = append(w.more, t)
	return t, os.MkdirAll(t.dir, 0o755)
}

// drop ends the world's postcall and removes its database and index, and its folder unless the user wants to keep it.
func (w *world) drop() {
	for _, one := range w.all() {
		one.kill()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, _ = w.query(ctx, "DROP DATABASE IF EXISTS "+w.db+" SYNC")
	_ = w.search(ctx, http.MethodDelete, "/"+w.index+"-v1", "", nil)
	if !w.h.keep {
		_ = os.RemoveAll(w.dir)
	}
}

func (w *world) set(env ...string) {
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		w.env[name] = value
		if name == "POSTCALL_SINKS" {
			w.sinks = strings.Split(value, ",")
		}
	}
}

func (w *world) data() string { return w.env["POSTCALL_DATA_DIR"] }
func (w *world) log() string  { return filepath.Join(w.dir, "log") }

func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(w.bin, "postcall"), args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "POSTCALL_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	for k, v := range w.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return cmd
}

// postcall runs a command to its end.
func (w *world) postcall(ctx context.Context, args ...string) (string, error) {
	out, err := w.command(ctx, args...).CombinedOutput()
	return string(out), err
}

// serve starts postcall and waits until it takes deliveries.
func (w *world) serve(ctx context.Context) error {
	log, err := os.OpenFile(w.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := w.command(context.WithoutCancel(ctx), "serve")
	cmd.Stderr, cmd.Stdout = log, log
	p, err := start(cmd)
	if err != nil {
		return fmt.Errorf("start postcall: %w", err)
	}
	w.mu.Lock()
	w.p = p
	w.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("postcall was not ready within a minute"))
	defer cancel()
	for {
		res, err := client.Get("http://" + w.admin + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.done:
			return fmt.Errorf("postcall ended (%w): %s", p.err, lastLine(w.log()))
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (w *world) process() *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.p
}

// kill is SIGKILL to postcall.
func (w *world) kill() {
	if p := w.process(); p != nil {
		p.kill()
	}
}

// killAndServe is one round of most kill rows.
func (w *world) killAndServe(ctx context.Context) error {
	w.kill()
	return w.serve(ctx)
}

// metric is the sum of a metric's values whose labels contain all of the given texts; 0 while there is no answer.
func (w *world) metric(name string, labels ...string) float64 {
	c := http.Client{Timeout: 5 * time.Second}
	res, err := c.Get("http://" + w.admin + "/metrics")
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	var sum float64
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		line := lines.Text()
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		if slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(rest, l) }) {
			continue
		}
		v, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err == nil {
			sum += v
		}
	}
	return sum
}

// logged is how many lines of the log contain all texts.
func (w *world) logged(texts ...string) int {
	b, err := os.ReadFile(w.log())
	if err != nil {
		return 0
	}
	n := 0
	for line := range bytes.Lines(b) {
		if !slices.ContainsFunc(texts, func(t string) bool { return !bytes.Contains(line, []byte(t)) }) {
			n++
		}
	}
	return n
}

// doing says on the terminal what the row is at.
func (w *world) doing(format string, args ...any) {
	w.mu.Lock()
	w.what = fmt.Sprintf(format, args...)
	w.mu.Unlock()
}
