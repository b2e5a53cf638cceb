package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestItRuns runs the programs of this machine's image inside of it: with nothing but what it has, as its user, and
// without an environment.
func TestItRuns(t *testing.T) {
	root := image(t).roots[runtime.GOARCH]
	if root == "" {
		t.Fatalf("there is no image for %s", runtime.GOARCH)
	}
	c := container{t: t, root: root}
	c.says(0, []string{"version"}, `^postcall 9\.8\.7-test\+build \(commit 0123456789ab, go1\.`)
	c.says(0, []string{"plugin", "lock", "--check"}, `plugins\.lock and the plugins agree`)
	c.says(0, []string{"plugin", "list"}, `redact-pii +\S+ +1 +[0-9a-f]+ +ok +yes`, `map-topics +\S+ +1 +[0-9a-f]+ +ok +yes`)
	// The time zone is in the program. The plugins start and work; no store is there, and doctor says so.
	c.says(1, []string{"doctor"}, `ok   configuration`, `BAD  sink clickhouse`, `BAD  sink elasticsearch`,
		`ok   plugin redact-pii`, `ok   plugin map-topics`)
	c.env = append(c.env, "POSTCALL_TIMEZONE=Nowhere/Nothing")
	c.says(1, []string{"doctor"}, `BAD  configuration .*POSTCALL_TIMEZONE`)
}

// container runs programs with another root.
type container struct {
	t    *testing.T
	root string
	env  []string
}

func (c *container) says(code int, args []string, want ...string) {
	c.t.Helper()
	cmd := exec.Command("/"+programPath, args...)
	cmd.Dir = "/"
	cmd.Env = append([]string{
		"PATH=/usr/local/bin", "POSTCALL_DATA_DIR=/" + dataPath, "POSTCALL_TIMEZONE=America/New_York",
		"POSTCALL_PLUGIN_DIR=/" + pluginsPath, // the program looks beside itself by /proc, which is not here
		"POSTCALL_REDACT_KEY=0123456789abcdef0123456789abcdef", "POSTCALL_WEBHOOK_SECRET=a-shared-secret",
		"POSTCALL_CLICKHOUSE_ADDR=127.0.0.1:1", "POSTCALL_ELASTICSEARCH_URL=https://127.0.0.1:1",
	}, c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Credential: &syscall.Credential{Uid: user, Gid: user}}
	if uid := os.Geteuid(); uid != 0 { // a user namespace lets anybody change the root
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Chroot: c.root, Cloneflags: syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: user, HostID: uid, Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getegid(), Size: 1}},
		}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); cmd.ProcessState == nil {
		c.t.Fatalf("postcall %s in %s: %v (it needs root, or user namespaces)", strings.Join(args, " "), filepath.Base(c.root), err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		c.t.Errorf("postcall %s: exit %d, want %d\n%s", strings.Join(args, " "), got, code, &out)
	}
	for _, w := range want {
		if !regexp.MustCompile("(?m)" + w).MatchString(out.String()) {
			c.t.Errorf("postcall %s does not say %q:\n%s", strings.Join(args, " "), w, &out)
		}
	}
}
