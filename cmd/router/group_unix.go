//go:build unix

package main

import (
	"errors"
	"os"
	"syscall"
)

// ownGroup keeps a terminal's Ctrl-C from a process that the router ends itself, when nothing needs it any more.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// signalGroup signals a process of ownGroup and all that it has started.
func signalGroup(p *os.Process, signal syscall.Signal) error {
	if err := syscall.Kill(-p.Pid, signal); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return os.ErrProcessDone
}
