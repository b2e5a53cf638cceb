// Command fault is a plugin that does what an event's summary says: the tests of package transforms run it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/postcall/postcall/transforms"
)

type settings struct {
	Suffix string `json:"suffix"`
	Max    int    `json:"max"`
	Secret string `json:"secret"`
	Child  bool   `json:"child"` // leave a process behind that holds stdout
	Hang   bool   `json:"hang"`  // at the start
	Die    bool   `json:"die"`   // at the start
	Hold   int    `json:"hold"`  // MiB, at the start
}

func (s settings) Validate() error {
	if s.Max < 0 {
		return errors.New("max must not be negative")
	}
	return nil
}

func main() {
	if n, err := strconv.Atoi(os.Getenv("FAULT_HOLD")); err == nil { // a child of a plugin
		hold(n)
		time.Sleep(time.Minute)
		return
	}
	if path := os.Getenv("FAULT_MAP"); path != "" {
		mapped(path)
		return
	}
	if n, err := strconv.Atoi(os.Getenv("FAULT_NOISE")); err == nil { // before and after the handshake, on the real stdout
		fmt.Println("hello from a plugin that prints")
		go func(stdout *os.File) {
			for range n {
				_, _ = stdout.WriteString(strings.Repeat("noise ", 20<<10) + "\n")
			}
		}(os.Stdout)
	}
	transforms.Serve("fault", "1.2.3", open)
}

func open(_ context.Context, s settings) (transforms.Transformer, error) {
	if s.Hang {
		select {}
	}
	if s.Hold > 0 {
		hold(s.Hold)
		time.Sleep(time.Second)
	}
	if s.Die {
		fmt.Fprintln(os.Stderr, "I can't go on")
		os.Exit(7)
	}
	if s.Child {
		c := exec.Command("sleep", "60")
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		fd, err := syscall.Dup(1)
		if err != nil {
			return nil, err
		}
		c.Stdout = os.NewFile(uintptr(fd), "stdout")
		if err := c.Start(); err != nil {
			return nil, err
		}
	}
	return fault{s}, nil
}

// held is memory that isn't given back.
var held [][]byte

func hold(mib int) {
	b := make([]byte, mib<<20)
	for i := range b {
		b[i] = byte(i) // so that it is there
	}
	held = append(held, b)
}

// mapped maps a file, reads it, says so, and waits to be killed.
func mapped(path string) {
	f, err := os.Open(path)
	if err != nil {
		panic(err)
	}
	info, err := f.Stat()
	if err != nil {
		panic(err)
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	sum := 0
	for i := 0; i < len(b); i += 4096 {
		sum += int(b[i])
	}
	fmt.Println(sum)
	time.Sleep(time.Minute)
}

type fault struct{ s settings }

func (f fault) Transform(ctx context.Context, batch []transforms.Event) ([]transforms.Event, error) {
	var out []transforms.Event
	for i := range batch {
		e := &batch[i]
		what, arg, _ := strings.Cut(e.Summary, " ")
		switch what {
		case "die":
			os.Exit(9)
		case "die-once": // arg is a file that tells the second time
			if _, err := os.Stat(arg); err != nil {
				_ = os.WriteFile(arg, nil, 0o600)
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		case "leak": // arg MiB, and time for the host to see it
			n, _ := strconv.Atoi(arg)
			hold(n)
			time.Sleep(time.Second)
		case "seep": // arg MiB, unnoticed
			n, _ := strconv.Atoi(arg)
			hold(n)
		case "leak-child":
			c := exec.Command(os.Args[0])
			c.Env = []string{"FAULT_HOLD=" + arg}
			if err := c.Start(); err != nil {
				return nil, err
			}
			<-ctx.Done()
			return nil, ctx.Err()
		case "pid":
			time.Sleep(50 * time.Millisecond)
			e.LongSummary = strconv.Itoa(os.Getpid())
		case "hang":
			select {}
		case "wait":
			<-ctx.Done()
			return nil, ctx.Err()
		case "stop":
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			select {} // the signal may take a moment
		case "panic":
			panic("what a caller said: " + arg)
		case "error":
			return nil, errors.New("the disk is full")
		case "permanent":
			return nil, transforms.Permanent(errors.New("summary is odd"))
		case "env":
			e.Extra = fmt.Appendf(nil, "{%q:%q}", "env", strings.Join(os.Environ(), " "))
		case "dump": // all that this process was told
			told, err := json.Marshal(map[string]any{"env": os.Environ(), "args": os.Args, "settings": f.s})
			if err != nil {
				return nil, err
			}
			e.LongSummary += string(told) + "\n"
		case "dir":
			e.LongSummary, _ = os.Getwd()
		case "stdin":
			go func() { _, _ = io.Copy(io.Discard, os.Stdin) }()
		case "log":
			slog.Warn("about to "+arg, "count", 3)
			fmt.Fprintln(os.Stderr, "a plain line")
			fmt.Println("a line on stdout")
		case "big":
			e.LongSummary = strings.Repeat("x", 100<<20)
		case "rename":
			e.CallID += "x"
		case "forget":
			continue
		case "invalid":
			e.Topic = "\xff"
		case "extra":
			e.Extra = []byte(`{"half":`)
		case "drop":
			e.Drop("unwanted")
		case "reject":
			e.Reject("odd")
		case "split":
			out = append(out, *e)
			for n := range 2 {
				child := *e
				child.ParentCallID, child.CallID = e.CallID, fmt.Sprintf("%s#%d", e.CallID, n+1)
				out = append(out, child)
			}
			continue
		}
		e.Topic += f.s.Suffix
		out = append(out, *e)
	}
	return out, nil
}
