//go:build !linux

package plugin

import (
	"os"
	"syscall"
)

// processAttributes are none: a plugin notices by itself that its host is gone (awaitParent).
func processAttributes() *syscall.SysProcAttr { return nil }

// killGroup kills a plugin; children that it left are not found.
func killGroup(p *os.Process) { _ = p.Kill() }
