package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// runCommand runs command with env until it ends. When ctx ends, it is asked to end and then made to; it also ends
// when this process is killed.
func runCommand(ctx context.Context, command, env []string) (int, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	var err error
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		runtime.LockOSThread() // the kernel's "parent died" means the thread that forked
		err = cmd.Run()
	}()
	<-idle
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if st, ok := exit.Sys().(syscall.WaitStatus); ok && st.Signaled() {
			return 128 + int(st.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 1, fmt.Errorf("run %s: %w", command[0], err)
	}
	return 0, nil
}

// runEngine runs one engine in the foreground until ctx ends, and prints where it is once it is healthy.
func runEngine(ctx context.Context, set func() (*server, error)) error {
	e, err := set()
	if err != nil {
		return err
	}
	if err := e.start(ctx); err != nil {
		return err
	}
	line, err := e.describe()
	if err != nil {
		return errors.Join(err, e.close())
	}
	fmt.Printf("%s\n", line)
	select {
	case <-ctx.Done():
		return e.close()
	case <-e.done:
		return e.failure()
	}
}

// withParent cancels when the process that started this one ends.
func withParent(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent {
			time.Sleep(200 * time.Millisecond)
		}
		cancel()
	}()
	return ctx
}
