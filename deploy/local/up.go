package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// upOptions say how the two engines run. A port of 0 means the preferred one if it is free, else any.
type upOptions struct {
	data                            string // "" is a folder that goes away
	tcpPort, httpPort, elasticPort  int
	preferTCP, preferHTTP, preferES int
	bench                           bool
	command                         string // for `status`
}

// instance is a running pair of engines with the data folder that they have to themselves.
type instance struct {
	cache   cache
	state   state
	engines []*server
	unlock  func()
}

// startUp installs the engines if need be, starts both and waits until they are healthy.
func startUp(ctx context.Context, c cache, o upOptions) (*instance, error) {
	if err := install(ctx, c); err != nil {
		return nil, err
	}
	if _, err := running(c); err != nil { // clears up behind killed ones
		return nil, err
	}
	in := &instance{cache: c, unlock: func() {}}
	in.state = state{PID: os.Getpid(), Birth: birth(os.Getpid()), Command: o.command}
	if err := in.begin(ctx, o); err != nil {
		return nil, errors.Join(err, in.close())
	}
	return in, nil
}

func (in *instance) begin(ctx context.Context, o upOptions) error {
	if err := in.openData(ctx, o.data); err != nil {
		return err
	}
	if err := in.describe(o); err != nil {
		return err
	}
	if err := in.state.save(in.cache); err != nil {
		return err
	}
	p := startProgress("Starting ClickHouse and Elasticsearch", nil)
	err := startAll(ctx, in.engines)
	p.done(err)
	return err
}

// openData makes the data folder, or takes the given one unless another process uses it.
func (in *instance) openData(ctx context.Context, dir string) error {
	throwaway := dir == ""
	var err error
	if throwaway {
		if dir, err = os.MkdirTemp("", "postcall-local-"); err != nil {
			return err
		}
		err = os.Chmod(dir, 0o755) // the user that Elasticsearch runs as has to enter it
	} else if dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return err
	}
	in.state.Data = dir
	elastic, err := in.cache.elasticData(dir)
	if err != nil {
		return err
	}
	if throwaway {
		in.state.Throwaway = []string{dir}
		if outside := filepath.Dir(elastic); outside != dir {
			in.state.Throwaway = append(in.state.Throwaway, outside)
		}
	}
	in.unlock, err = lockFile(ctx, filepath.Join(dir, "lock"), "")
	if errors.Is(err, syscall.EWOULDBLOCK) {
		in.unlock = func() {}
		return fmt.Errorf("%s is in use by another process: `local status` shows it, `local down` ends it", dir)
	}
	return err
}

// describe chooses the ports and sets up both engines.
func (in *instance) describe(o upOptions) error {
	tcp, err1 := choosePort("clickhouse-port", o.tcpPort, o.preferTCP)
	http, err2 := choosePort("clickhouse-http-port", o.httpPort, o.preferHTTP)
	es, err3 := choosePort("elasticsearch-port", o.elasticPort, o.preferES)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	ch, err := clickhouse(in.cache, in.state.Data, tcp, http)
	if err != nil {
		return err
	}
	el, err := elasticsearch(in.cache, in.state.Data, es, o.bench)
	if err != nil {
		return errors.Join(err, ch.close())
	}
	in.engines = []*server{ch, el}
	in.state.Env = append(append([]string{}, ch.exports...), el.exports...)
	return nil
}

// close ends the engines in order and clears up.
func (in *instance) close() error {
	var err error
	if len(in.engines) > 0 {
		p := startProgress("Stopping ClickHouse and Elasticsearch", nil)
		err = closeAll(in.engines)
		p.done(err)
	}
	in.unlock()
	if exists(in.cache.stateFile(in.state.PID)) || len(in.state.Throwaway) > 0 {
		_ = in.state.forget(in.cache) // the next start clears up what can't be removed now
	}
	return err
}

// setting is one of the variables that clients find in their environment.
func (in *instance) setting(name string) string {
	for _, v := range in.state.Env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// ended names an engine when an engine ends by itself.
func (in *instance) ended() <-chan *server {
	out := make(chan *server, len(in.engines))
	for _, e := range in.engines {
		go func() {
			<-e.done
			out <- e
		}()
	}
	return out
}

// up runs the engines for as long as command runs, or without one until ctx ends, and returns the exit code.
func up(ctx context.Context, c cache, o upOptions, command []string) (int, error) {
	if len(command) > 0 {
		o.command += " -- " + strings.Join(command, " ")
	}
	in, err := startUp(ctx, c, o)
	if err != nil {
		return 1, err
	}
	code := 0
	if len(command) > 0 {
		code, err = runCommand(ctx, command, append(os.Environ(), in.state.Env...))
		for _, e := range in.engines {
			select {
			case <-e.done:
				err = errors.Join(err, e.failure())
			default:
			}
		}
	} else {
		for _, v := range in.state.Env {
			fmt.Println("export " + v)
		}
		fmt.Fprintln(os.Stderr, "Ready. Ctrl-C ends it.")
		select {
		case <-ctx.Done():
		case e := <-in.ended():
			code, err = 1, e.failure()
		}
	}
	if err = errors.Join(err, in.close()); err != nil && code == 0 {
		code = 1
	}
	return code, err
}
