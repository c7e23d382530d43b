// Command router is Cauce as a daemon, and the tools around it. `router help` lists its commands.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cauce-pay/cauce/engine/routing"
)

// Exit codes.
const (
	exitOK        = 0
	exitNotFine   = 1 // what was checked is not fine, or the command could not do its work
	exitUsage     = 2
	exitStoreLost = 3 // the store cannot be written any more: start the router again once the disk is well
)

var (
	// errNotFine: the command has said itself what is not fine.
	errNotFine = errors.New("not fine")
	// errStoreLost: a running router had to stop because of its store.
	errStoreLost = errors.New("stopped, because the store cannot be written any more; every payment that was acknowledged is in it. Start again once the disk is well")
)

func main() {
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run does what args ask for and returns the exit code.
func run(args []string, s streams) int {
	return conclude(s, dispatch(args, s))
}

// conclude prints the error, if there is one that the command has not printed, and returns the exit code.
func conclude(s streams, err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNotFine):
		return exitNotFine
	case errors.As(err, &usage):
		fmt.Fprintf(s.err, "router: %v\nSee: %s\n", err, usage.see)
		return exitUsage
	}
	report(s.err, err)
	if errors.Is(err, errStoreLost) {
		return exitStoreLost
	}
	return exitNotFine
}

// report prints an error; diagnostics among its parts with their places.
func report(w io.Writer, err error) {
	var diagnostics routing.Diagnostics
	joined, isJoined := err.(interface{ Unwrap() []error })
	switch {
	case !errors.As(err, &diagnostics):
		fmt.Fprintln(w, "router:", err)
	case isJoined:
		for _, part := range joined.Unwrap() {
			report(w, part)
		}
	default:
		_ = diagnostics.Write(w)
	}
}
