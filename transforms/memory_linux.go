package transforms

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

// groupMemory returns the bytes that the processes of a group have resident. Their sum counts a page that several of
// them share several times, so where it is above bound, each counts by its proportional share (PSS) instead, which is
// exact and takes the kernel a walk through its pages.
func groupMemory(pgid int, bound int64) int64 {
	pids := processGroups.members(pgid)
	total := int64(0)
	for _, pid := range pids {
		total += residentSize(pid)
	}
	if bound <= 0 || total <= bound || len(pids) < 2 {
		return total
	}
	total = 0
	for _, pid := range pids {
		total += proportionalSize(pid)
	}
	return total
}

var pageSize = int64(os.Getpagesize())

// residentSize reads the second number of statm, in pages. A process that is gone has none.
func residentSize(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	return number(data, 1) * pageSize
}

func proportionalSize(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	_, rest, found := bytes.Cut(data, []byte("\nPss:"))
	if err != nil || !found {
		return residentSize(pid)
	}
	return number(rest, 0) << 10
}

// number returns the n-th field of a text as a number.
func number(text []byte, n int) int64 {
	fields := bytes.Fields(text)
	if n >= len(fields) {
		return 0
	}
	v, _ := strconv.ParseInt(string(fields[n]), 10, 64)
	return v
}

// processGroups knows which processes belong to the groups of plugins, for all plugins together.
var processGroups groups

// groups is a list of the machine's processes by their group. It takes reading a file for each process there is, so it is
// made anew when it is older than groupInterval, and where that would take more than groupShare of a CPU, when it is as
// old as to keep to that. What a plugin has started since doesn't count yet.
type groups struct {
	mu    sync.Mutex
	next  time.Time
	group map[int][]int
}

const (
	groupInterval = 2 * time.Second
	groupShare    = 1.0 / 200
)

func (g *groups) members(pgid int) []int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if began := time.Now(); !began.Before(g.next) {
		g.group = readGroups()
		g.next = began.Add(max(groupInterval, time.Duration(float64(time.Since(began))/groupShare)))
	}
	if pids := g.group[pgid]; len(pids) > 0 {
		return pids
	}
	return []int{pgid} // it is younger than the list
}

func readGroups() map[int][]int {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer func() { _ = proc.Close() }()
	names, _ := proc.Readdirnames(-1)
	group := map[int][]int{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		data, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		// PID (COMMAND) STATE PARENT GROUP ...; a command can hold anything.
		if i := bytes.LastIndexByte(data, ')'); i >= 0 {
			pgid := int(number(data[i+1:], 2))
			group[pgid] = append(group[pgid], pid)
		}
	}
	return group
}
