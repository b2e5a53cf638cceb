//go:build !unix

package transforms

import (
	"os"
	"os/exec"
)

// Without process groups only the process itself is killed.

func ownGroup(*exec.Cmd)      {}
func killGroup(p *os.Process) { _ = p.Kill() }
