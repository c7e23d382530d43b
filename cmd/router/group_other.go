//go:build !unix

package main

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

func signalGroup(p *os.Process, signal syscall.Signal) error { return p.Signal(signal) }
