package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// process is a program under test with everything it starts.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
	log  string

	mu   sync.Mutex
	cpu  map[int]float64 // seconds of each process when it was last seen
	io   map[int]int64   // bytes each had written to disk
	rss  map[int]int64   // resident bytes of each, at most
	peak int64           // and of all at one moment
	part int64           // the same since takePart was last asked
}

// start runs argv with env and nothing else in its environment; its output goes to the file log.
func start(argv, env []string, log string) (*process, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &process{log: log, done: make(chan struct{}), cpu: map[int]float64{}, io: map[int]int64{}, rss: map[int]int64{}}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()}, env...)
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	go p.watch()
	return p, nil
}

// stop asks the program to end, and kills it when it doesn't within a minute.
func (p *process) stop() error {
	pid := p.cmd.Process.Pid
	if name(pid) == "strace" { // it passes no signal on
		if kids := children(pid); len(kids) > 0 {
			pid = kids[0]
		}
	}
	_ = syscall.Kill(pid, syscall.SIGTERM) // gone is as good
	select {
	case <-p.done:
		return p.err
	case <-time.After(time.Minute):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
		return errors.New("it did not end within a minute of SIGTERM")
	}
}

// signalPlugins sends a signal to every process that the program started.
func (p *process) signalPlugins(sig syscall.Signal) {
	for _, pid := range tree(p.cmd.Process.Pid)[1:] {
		_ = syscall.Kill(pid, sig) // one that has gone needs none
	}
}

// failure describes a program that ended by itself, nil while it runs.
func (p *process) failure() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s ended by itself (%s); the end of its log:\n%s", p.cmd.Args[0], p.cmd.ProcessState, tail(p.log))
	default:
		return nil
	}
}

func tail(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// watch samples the processes ten times a second.
func (p *process) watch() {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			p.sample()
		case <-p.done:
			return
		}
	}
}

func (p *process) sample() {
	var rss int64
	pids := tree(p.cmd.Process.Pid)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pid := range pids {
		if s, ok := cpuSeconds(pid); ok {
			p.cpu[pid] = s
		}
		n := resident(pid)
		rss += n
		p.rss[pid] = max(p.rss[pid], n)
		if n, ok := written(pid); ok {
			p.io[pid] = n
		}
	}
	p.peak, p.part = max(p.peak, rss), max(p.part, rss)
}

// takePart returns the peak of all since it was last asked, in MiB.
func (p *process) takePart() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.part
	p.part = 0
	return float64(n) / (1 << 20)
}

// phases takes the peak of each quarter of the deliveries as they are accepted. What it returns ends it, adds the peak of
// what followed, and returns them all.
func (p *process) phases(accepted *atomic.Int64, events int) func() []float64 {
	var peaks []float64
	done, ended := make(chan struct{}), make(chan struct{})
	p.takePart()
	go func() {
		defer close(ended)
		for quarter := 1; quarter <= 4; {
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
			if accepted.Load()*4 >= int64(quarter*events) {
				peaks = append(peaks, p.takePart())
				quarter++
			}
		}
	}()
	return func() []float64 {
		close(done)
		<-ended
		return append(peaks, p.takePart())
	}
}

// usage is what the processes took since they were started.
type usage struct {
	CPU     float64
	Peak    int64
	Written int64
}

func (p *process) usage() usage {
	p.sample()
	p.mu.Lock()
	defer p.mu.Unlock()
	u := usage{Peak: p.peak}
	for _, s := range p.cpu {
		u.CPU += s
	}
	for _, n := range p.io {
		u.Written += n
	}
	return u
}

// byName returns the CPU seconds and the peak of the resident MiB of each program that runs.
func (p *process) byName() (cpu, rss map[string]float64) {
	p.sample()
	p.mu.Lock()
	defer p.mu.Unlock()
	cpu, rss = map[string]float64{}, map[string]float64{}
	for pid, s := range p.cpu {
		if n := name(pid); n != "" {
			cpu[n] += s
			rss[n] += float64(p.rss[pid]) / (1 << 20)
		}
	}
	return cpu, rss
}

// tree returns pid and its descendants.
func tree(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children(all[i])...)
	}
	return all
}

// children reads the processes that each thread of pid started.
func children(pid int) []int {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var out []int
	for _, f := range files {
		b, _ := os.ReadFile(f) // a thread that has gone
		for s := range strings.FieldsSeq(string(b)) {
			if n, err := strconv.Atoi(s); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// stat returns the fields of /proc/PID/stat behind the name.
func stat(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}

// cpuSeconds of a process, user and system; the clock ticks of /proc are hundredths of a second on every Linux.
func cpuSeconds(pid int) (float64, bool) {
	f := stat(pid)
	if len(f) < 13 {
		return 0, false
	}
	user, err1 := strconv.ParseFloat(f[11], 64)
	system, err2 := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100, err1 == nil && err2 == nil
}

func resident(pid int) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)) // a process that has gone has nothing
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.ParseInt(f[1], 10, 64)
	return n * int64(os.Getpagesize())
}

func written(pid int) (int64, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, false
	}
	_, rest, _ := strings.Cut(string(b), "\nwrite_bytes: ")
	v, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(v, 10, 64)
	return n, err == nil
}

func name(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)) // gone: no name
	return strings.TrimSpace(string(b))
}
