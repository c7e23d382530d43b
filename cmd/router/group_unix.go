//go:build unix

package main

import "syscall"

// ownGroup keeps a terminal's Ctrl-C from a process that the router ends itself, when nothing needs it any more.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
