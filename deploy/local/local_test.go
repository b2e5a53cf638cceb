package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCacheFolderFollowsTheEnvironment(t *testing.T) {
	root := t.TempDir()
	f := func(name string, env map[string]string, want string) {
		t.Helper()
		c, err := openCache(func(k string) string { return env[k] })
		if err != nil || c.dir != want {
			t.Errorf("%s: got %q, %v; want %q", name, c.dir, err, want)
		}
	}
	own, xdg, home := filepath.Join(root, "own"), filepath.Join(root, "xdg"), filepath.Join(root, "home")
	f("named", map[string]string{"POSTCALL_CACHE": own, "XDG_CACHE_HOME": xdg, "HOME": home}, own)
	f("XDG", map[string]string{"XDG_CACHE_HOME": xdg, "HOME": home}, filepath.Join(xdg, "postcall"))
	f("a relative XDG is void", map[string]string{"XDG_CACHE_HOME": "here", "HOME": home}, filepath.Join(home, ".cache", "postcall"))
	f("home", map[string]string{"HOME": home}, filepath.Join(home, ".cache", "postcall"))
	if _, err := openCache(func(string) string { return "" }); err == nil {
		t.Error("no error without any folder")
	}
}

func TestEnterableWantsEveryFolderAboveOpen(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "postcall-test-") //nolint:usetesting // t.TempDir is below a private folder
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	inner := filepath.Join(dir, "a")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if enterable(inner) {
		t.Error("a folder below a private one is not enterable")
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if !enterable(inner) {
		t.Error("an open folder below open ones is enterable")
	}
}

func TestTakenPortIsReplacedOrNamed(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	if got, err := choosePort("x", 0, taken); err != nil || got == taken {
		t.Errorf("preferred and taken: got %d, %v", got, err)
	}
	if _, err := choosePort("x-port", taken, 0); err == nil || !strings.Contains(err.Error(), fmt.Sprint(taken)) || !strings.Contains(err.Error(), "--x-port") {
		t.Errorf("named and taken: %v", err)
	}
	free, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := choosePort("x", 0, free); err != nil || got != free {
		t.Errorf("preferred and free: got %d, %v; want %d", got, err, free)
	}
}

func TestStateOfKilledProcessIsClearedUp(t *testing.T) {
	c := cache{dir: t.TempDir()}
	gone := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(gone, 0o755); err != nil {
		t.Fatal(err)
	}
	me := state{PID: os.Getpid(), Birth: birth(os.Getpid()), Command: "local up", Env: []string{"A=b"}}
	dead := state{PID: os.Getppid(), Birth: "1", Throwaway: []string{gone}} // the number is in use again
	if err := errors.Join(me.save(c), dead.save(c)); err != nil {
		t.Fatal(err)
	}
	alive, err := running(c)
	if err != nil || len(alive) != 1 || alive[0].PID != me.PID {
		t.Fatalf("running: %+v, %v", alive, err)
	}
	if exists(gone) || exists(c.stateFile(dead.PID)) {
		t.Error("the data and the state of a killed process are still there")
	}
	if info, err := os.Stat(c.stateFile(me.PID)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the state file holds a password and is readable by others: %v, %v", info, err)
	}
}

func TestSecretIsMadeOnceAndPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets", "key")
	one, err1 := secretFile(path)
	two, err2 := secretFile(path)
	if err := errors.Join(err1, err2); err != nil || one != two || len(one) != 64 {
		t.Fatalf("got %q, then %q, %v", one, two, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secret's file: %v, %v", info, err)
	}
}

func TestHalfAnInstallIsNotOne(t *testing.T) {
	home := filepath.Join(t.TempDir(), "engines", "x-1")
	fail := func(_ context.Context, tmp string) (string, error) {
		return tmp, errors.Join(os.WriteFile(filepath.Join(tmp, "half"), nil, 0o600), errors.New("no network"))
	}
	if err := installInto(t.Context(), home, "test", fail); err == nil || exists(home) {
		t.Fatalf("a failed install left something, or no error: %v", err)
	}
	work := func(_ context.Context, tmp string) (string, error) {
		dir := filepath.Join(tmp, "made")
		return dir, errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "run"), nil, 0o700))
	}
	if err := installInto(t.Context(), home, "test", work); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(home, "run")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the file has to be readable for all: %v, %v", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(home), ".*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestMissingPrerequisitesAreALineEach(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("JAVA_HOME", "")
	err := prerequisites()
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Fatalf("want three lines, got %v", err)
	}
	for _, want := range []string{"a JDK of version 17", "Node.js with npm", "install Maven"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %q", err, want)
		}
	}
}

func TestSearchWordIsNoName(t *testing.T) {
	files, calls, err := readSamples(writeSamples(t))
	if err != nil || len(files) != 1 || calls[0].word() != "cleaning" {
		t.Errorf("got %v %+v, %v", files, calls, err)
	}
}

func writeSamples(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"call.json": `{"callId":"1","transcript":[{"role":"agent","content":"Congratulations"},
			{"role":"user","content":"I am Hernandez-Villanueva, maria.h@example.com, a cleaning."}]}`,
		"call.golden.json": `{"callId":"1"}`,
		"broken.json":      `{`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// clientHello is what a native client sends first.
func clientHello(database, user, password string) []byte {
	b := []byte{0}
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	text("test")
	b = binary.AppendUvarint(append(b, 1, 1), 54460)
	text(database)
	text(user)
	text(password)
	return b
}

func TestHelloIsReadOrRefused(t *testing.T) {
	want := hello{"postcall", "postcall", "secret"}
	whole := clientHello(want.database, want.user, want.password)
	got, err := readHello(bufio.NewReader(strings.NewReader(string(whole))))
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for n := range whole {
		if _, err := readHello(bufio.NewReader(strings.NewReader(string(whole[:n])))); err == nil {
			t.Errorf("the first %d bytes of %d pass for a hello", n, len(whole))
		}
	}
	for _, bad := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if _, err := readHello(bufio.NewReader(strings.NewReader(bad))); err == nil {
			t.Errorf("%q passes for a hello", bad)
		}
	}
}

// TestEnginesLiveAndDieWithTheirParent starts both engines as a user would. They have to take logins that would abort
// ClickHouse, and to be gone soon after their parent was killed with no chance to clear up, even when frozen.
func TestEnginesLiveAndDieWithTheirParent(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "local")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	cmd := exec.Command(bin, "up")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	env := map[string]string{}
	for lines := bufio.NewScanner(stdout); len(env) < 5 && lines.Scan(); {
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		env[name] = value
	}
	if len(env) < 5 {
		t.Fatal("the engines did not start")
	}
	for _, bad := range [][]byte{
		clientHello("default", "postcall", "wrong"), clientHello("default", "default", ""),
		clientHello("no_such_database", "postcall", env["POSTCALL_CLICKHOUSE_PASSWORD"]), []byte("GET / HTTP/1.0\r\n\r\n"),
	} {
		if answer := knock(t, env["POSTCALL_CLICKHOUSE_ADDR"], bad); bad[0] == 0 && !strings.Contains(answer, "DB::Exception") {
			t.Errorf("a refused login is answered with %q", answer)
		}
	}
	if out, err := queryClickHouse(t.Context(), env["POSTCALL_TEST_CLICKHOUSE_HTTP"], env["POSTCALL_CLICKHOUSE_PASSWORD"], "SELECT 1", nil); err != nil || string(out) != "1\n" {
		t.Fatalf("after refused logins, SELECT 1 gives %q, %v", out, err)
	}
	if err := getOK(t.Context(), env["POSTCALL_ELASTICSEARCH_URL"]); err != nil {
		t.Fatal(err)
	}

	family := descendants(cmd.Process.Pid)
	if len(family) != 3 {
		t.Fatalf("want ClickHouse, Elasticsearch's launcher and Elasticsearch, got %v", family)
	}
	for pid := range family {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
		awaitFrozen(t, pid)
	}
	_ = cmd.Process.Kill()
	for deadline := time.Now().Add(20 * time.Second); len(family) > 0; time.Sleep(20 * time.Millisecond) {
		for pid, born := range family {
			if birth(pid) != born {
				delete(family, pid)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("still alive without their parent: %v", family)
		}
	}
}

// awaitFrozen waits until every thread of a process has stopped.
func awaitFrozen(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		frozen := true
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, thread := range threads {
			data, _ := os.ReadFile(thread)
			frozen = frozen && strings.Contains(string(data), ") T ")
		}
		if frozen && len(threads) > 0 {
			return
		}
	}
	t.Fatalf("%d does not freeze", pid)
}

// knock sends one packet and returns what comes back until the connection ends.
func knock(t *testing.T, addr string, packet []byte) string {
	t.Helper()
	c, err := net.Dial("tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write(packet); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(c) // a reset is an answer too
	return string(answer)
}

// descendants are the processes that pid started, and those that they did, with their births.
func descendants(pid int) map[int]string {
	out := map[int]string{}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		data, _ := os.ReadFile(list)
		for f := range strings.FieldsSeq(string(data)) {
			var child int
			_, _ = fmt.Sscan(f, &child)
			out[child] = birth(child)
			maps.Copy(out, descendants(child))
		}
	}
	return out
}

func TestBrowserIsTheUsersFirst(t *testing.T) {
	c := cache{dir: t.TempDir()}
	t.Setenv("PATH", t.TempDir())
	t.Setenv(browserVariable, "")
	if path, found := findBrowser(c); found || path != c.browser() {
		t.Errorf("an empty machine has %s", path)
	}
	if _, err := installBrowser(t.Context(), c); err == nil || !strings.Contains(err.Error(), "Node.js") {
		t.Errorf("without npm: %v", err)
	}
	if err := os.MkdirAll(c.browserHome(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.browser(), nil, 0o755); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	if path, err := installBrowser(t.Context(), c); err != nil || path != c.browser() {
		t.Errorf("one in the cache: %s, %v", path, err)
	}
	t.Setenv(browserVariable, "/opt/browser")
	if path, err := installBrowser(t.Context(), c); err != nil || path != "/opt/browser" {
		t.Errorf("one that is named: %s, %v", path, err)
	}
}

// A change of the package's archive is noticed before anything of it runs.
func TestBrowserIsPinned(t *testing.T) {
	bin, tmp := t.TempDir(), t.TempDir()
	npm := "#!/bin/sh\necho other > sparticuz-chromium-" + browserVersion + ".tgz\n"
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte(npm), 0o755); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	if _, err := unpackBrowser(t.Context(), tmp); err == nil || !strings.Contains(err.Error(), "instead of the pinned") {
		t.Errorf("another archive: %v", err)
	}
	if exists(filepath.Join(tmp, "package")) {
		t.Error("it was unpacked")
	}
}
