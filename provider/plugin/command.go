package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/cauce-pay/cauce/provider"
)

// Exit codes of a plugin that is run by hand.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// command is a plugin that is run by hand.
type command struct {
	Options
	stdout, stderr io.Writer
}

// run does what args ask for and returns the exit code.
func (c command) run(args []string) int {
	info := c.New().Info()
	if len(args) == 0 {
		return c.help(info)
	}
	switch args[0] {
	case "describe":
		if len(args) > 1 {
			return c.wrong(info, "describe takes no arguments")
		}
		e := json.NewEncoder(c.stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return c.check(e.Encode(info))
	case "sandbox":
		return c.sandbox(info, args[1:])
	case "version", "-version", "--version":
		fmt.Fprintln(c.stdout, info.Name, info.Version)
		return exitOK
	case "help", "-h", "-help", "--help":
		return c.help(info)
	}
	return c.wrong(info, fmt.Sprintf("%q is no command", args[0]))
}

func (c command) help(info provider.Info) int {
	c.usage(c.stdout, info)
	return exitOK
}

func (c command) wrong(info provider.Info, what string) int {
	fmt.Fprintf(c.stderr, "%s: %s\n\n", info.Name, what)
	c.usage(c.stderr, info)
	return exitUsage
}

func (c command) check(err error) int {
	if err != nil {
		fmt.Fprintln(c.stderr, err)
		return exitError
	}
	return exitOK
}

func (c command) usage(w io.Writer, info provider.Info) {
	fmt.Fprintf(w, "%s %s is a payment provider plugin of Cauce. A router starts it, when its routing.hcl has\n\n", info.Name, info.Version)
	fmt.Fprintf(w, "  provider %q {\n    config {\n", info.Name)
	for _, f := range info.Config {
		note := f.Doc
		if f.Required {
			note += " (required)"
		}
		fmt.Fprintf(w, "      %-24s # %s\n", f.Name, note)
	}
	fmt.Fprint(w, "    }\n  }\n\nIt takes:\n\n")
	for _, p := range info.Capabilities {
		fmt.Fprintf(w, "  %s by %s (%s)\n", p.Operation, p.Method, strings.Join(p.Currencies, ", "))
	}
	fmt.Fprintf(w, "\nBy hand:\n\n  %s describe\n      print all of this, and more, as JSON\n", info.Name)
	if c.Sandbox != nil {
		fmt.Fprintf(w, "  %s sandbox [-listen 127.0.0.1:0] [-state FILE] [-with-parent]\n", info.Name)
		fmt.Fprint(w, "      serve a simulator of the provider; FILE keeps its state, -with-parent ends it with\n      the process that started it\n")
	}
	fmt.Fprintf(w, "  %s version\n", info.Name)
}

// sandbox serves the simulator until it is interrupted.
func (c command) sandbox(info provider.Info, args []string) int {
	if c.Sandbox == nil {
		return c.wrong(info, "it has no sandbox")
	}
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	listen := flags.String("listen", "127.0.0.1:0", "")
	state := flags.String("state", "", "")
	withParent := flags.Bool("with-parent", false, "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return c.help(info)
	} else if err != nil {
		return c.wrong(info, "sandbox: "+err.Error())
	}
	if flags.NArg() > 0 {
		return c.wrong(info, fmt.Sprintf("sandbox: %q is no flag", flags.Arg(0)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *withParent {
		parent := os.Getppid()
		go func() {
			awaitOrphanhood(parent, 250*time.Millisecond)
			stop()
		}()
	}
	handler, err := c.Sandbox(*state)
	if err != nil {
		return c.check(fmt.Errorf("%s sandbox: %w", info.Name, err))
	}
	err = c.serveSandbox(ctx, info, handler, *listen)
	if closer, ok := handler.(io.Closer); ok {
		err = errors.Join(err, closer.Close())
	}
	return c.check(err)
}

func (c command) serveSandbox(ctx context.Context, info provider.Info, handler http.Handler, address string) error {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s sandbox: %s is in use by another program; choose another address with -listen", info.Name, address)
	}
	if err != nil {
		return fmt.Errorf("%s sandbox: %w", info.Name, err)
	}
	url := "http://" + listener.Addr().String()
	fmt.Fprintf(c.stdout, "%s sandbox listening on %s\n", info.Name, url)
	fmt.Fprintf(c.stderr, `Use it as the provider's address:

  provider %q {
    config { base_url = "%s" }   # and the rest of its configuration
  }

What it executed:    curl %s/_sandbox/ledger
What it was asked:   curl %s/_sandbox/requests
Ctrl-C ends it.
`, info.Name, url, url, url)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("%s sandbox: %w", info.Name, err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		return server.Close() // a call that a fault delays is not waited for
	}
	return nil
}
