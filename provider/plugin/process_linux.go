package plugin

import (
	"os"
	"syscall"
)

// processAttributes make a plugin die with its host, and keep a terminal's Ctrl-C from reaching it: the host
// ends it when it is no longer needed.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// killGroup kills a plugin and the children that it left.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
