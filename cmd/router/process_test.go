package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// binary returns the path of a program that TestMain built.
func binary(name string) string { return filepath.Join(binaries, name) }

// patience bounds every wait for a process.
const patience = 30 * time.Second

// process is a running program. It is killed at the end of the test.
type process struct {
	*exec.Cmd
	gone chan struct{}
	mu   sync.Mutex
	out  strings.Builder // standard output and error
}

// startProcess starts a program and waits until what it writes matches ready, whose groups it returns.
func startProcess(t *testing.T, ready string, env []string, name string, args ...string) (*process, []string) {
	t.Helper()
	cmd := exec.Command(binary(name), args...)
	cmd.Env = env
	return startCommand(t, ready, cmd)
}

// startCommand is startProcess of any command.
func startCommand(t *testing.T, ready string, cmd *exec.Cmd) (*process, []string) {
	t.Helper()
	p := &process{Cmd: cmd, gone: make(chan struct{})}
	p.Env = append([]string{"HOME=" + t.TempDir()}, p.Env...)
	p.Dir = t.TempDir()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s wrote\n%s", cmd, p.output())
		}
	})
	matched, err := p.launch(regexp.MustCompile(ready))
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return p, matched
}

// launch starts the program and waits until what it writes matches ready, whose groups it returns.
func (p *process) launch(ready *regexp.Regexp) ([]string, error) {
	out, err := p.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.Stderr = p.Stdout
	if err := p.Start(); err != nil {
		close(p.gone)
		return nil, err
	}
	found := make(chan []string, 1)
	go p.read(out, ready, found)
	select {
	case matched := <-found:
		return matched, nil
	case <-p.gone:
	case <-time.After(patience):
	}
	return nil, errors.New("it does not become ready")
}

func (p *process) read(out io.Reader, ready *regexp.Regexp, found chan<- []string) {
	waiting := true
	for lines := bufio.NewScanner(out); lines.Scan(); {
		p.mu.Lock()
		p.out.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
		if !waiting {
			continue
		}
		if m := ready.FindStringSubmatch(p.output()); m != nil {
			found <- m
			waiting = false
		}
	}
	_ = p.Wait()
	close(p.gone)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// kill ends the process as kill -9 does, and waits until it is gone.
func (p *process) kill() { p.end(os.Kill) }

// end sends a signal, waits until the process is gone, and returns its exit code.
func (p *process) end(s os.Signal) int {
	if p.Process != nil {
		_ = p.Process.Signal(s)
	}
	select {
	case <-p.gone:
	case <-time.After(patience):
		_ = p.Process.Kill()
		<-p.gone
	}
	return p.ProcessState.ExitCode()
}

// children returns the processes that p started.
func (p *process) children(t *testing.T) []int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	var children []int
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		b, _ := os.ReadFile(f) // "pid (name) state parent …"
		var pid, parent int
		var state string
		_, after, _ := strings.Cut(string(b), ") ")
		if _, err := fmt.Sscan(after, &state, &parent); err != nil || parent != p.Process.Pid {
			continue
		}
		if _, err := fmt.Sscan(string(b), &pid); err == nil {
			children = append(children, pid)
		}
	}
	return children
}

// alive reports whether one of the processes still runs. One that nobody has waited for yet does not.
func alive(pids []int) bool {
	return slices.ContainsFunc(pids, func(pid int) bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err == nil && !bytes.Contains(stat, []byte(") Z "))
	})
}

// unusedAddress returns a loopback address that nothing listens on. Its port is none that systems give to outgoing
// connections, so that it is still unused when a router that was killed comes back to it.
func unusedAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// world is a router with one Tpaga PSE provider, and that provider's sandbox: processes of their own, as an
// operator runs them.
type world struct {
	dir, url, sandbox string
	client            *http.Client
	router            *process
}

const hookSecret = "a-secret-of-the-test"

const worldRules = `
server {
  listen     = %q
  public_url = "http://%[1]s"
}
store "pebble" { path = "data" }
provider "tpaga-pse" {
  timeout             = %q
  notification_secret = %q
  config {
    base_url      = %q
    client_id     = "test"
    client_secret = env("CLIENT_SECRET", "test-secret")
  }
}
route "all" { providers = ["tpaga-pse"] }
`

// newWorld starts the sandbox; startRouter starts the router. timeout is the provider's.
func newWorld(t *testing.T, timeout string) *world {
	t.Helper()
	listen := unusedAddress(t)
	w := &world{dir: t.TempDir(), url: "http://" + listen, client: newClient(t)}
	_, m := startProcess(t, `listening on (http://\S+)`, nil, "tpaga-pse", "sandbox", "-state", filepath.Join(w.dir, "sandbox.json"))
	w.sandbox = m[1]
	rules := fmt.Sprintf(worldRules, listen, timeout, hookSecret, w.sandbox)
	if err := os.WriteFile(filepath.Join(w.dir, "routing.hcl"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	w.tell(t, "webhook", fmt.Sprintf(`{"url":"%s/v1/notifications/tpaga-pse/%s"}`, w.url, hookSecret))
	return w
}

// newClient returns a client that follows no redirects, and keeps no connections beyond the test.
func newClient(t *testing.T) *http.Client {
	c := &http.Client{
		Timeout: 40 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func (w *world) startRouter(t *testing.T, env ...string) {
	t.Helper()
	w.router, _ = startProcess(t, "msg=serving", env, "router", "serve", "-c", filepath.Join(w.dir, "routing.hcl"))
}

// restartRouter kills the router and starts it again.
func (w *world) restartRouter(t *testing.T) {
	t.Helper()
	w.router.kill()
	w.startRouter(t)
}

// tell posts to the sandbox's control protocol.
func (w *world) tell(t *testing.T, path, body string) {
	t.Helper()
	if status, err := w.call(t.Context(), http.MethodPost, w.sandbox+"/_sandbox/"+path, "", body, nil); err != nil || status/100 != 2 {
		t.Fatalf("%s: %d, %v", path, status, err)
	}
}

// counts returns how many calls of that kind the sandbox has received.
func (w *world) counts(t *testing.T, kind string) int {
	t.Helper()
	var counts map[string]int
	if status, err := w.call(t.Context(), http.MethodGet, w.sandbox+"/_sandbox/counts", "", "", &counts); err != nil || status != http.StatusOK {
		t.Fatalf("counts: %d, %v", status, err)
	}
	return counts[kind]
}

// decide presses a button of the bank's page, as the payer does, and returns where it sends the payer.
func (w *world) decide(t *testing.T, page, button string) string {
	t.Helper()
	resp, err := w.client.PostForm(page, url.Values{"decision": {button}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("the bank's page answers %s", resp.Status)
	}
	return resp.Header.Get("Location")
}

// pay asks for a payment that must be taken, and returns it with the answer's status.
func (w *world) pay(t *testing.T, key, body string) (payment.Payment, int) {
	t.Helper()
	var p payment.Payment
	status, err := w.call(t.Context(), http.MethodPost, w.url+"/v1/payments", key, body, &p)
	if err != nil || status/100 != 2 || p.Action == nil {
		t.Fatalf("%d, %v, %+v", status, err, p)
	}
	return p, status
}

func (w *world) refresh(t *testing.T, id string) {
	t.Helper()
	if status, err := w.call(t.Context(), http.MethodPost, w.url+"/v1/payments/"+id+"/refresh", "", "", nil); err != nil || status != http.StatusOK {
		t.Fatalf("%d, %v", status, err)
	}
}

func (w *world) get(ctx context.Context, t *testing.T, id string) payment.Payment {
	t.Helper()
	var p payment.Payment
	if status, err := w.call(ctx, http.MethodGet, w.url+"/v1/payments/"+id, "", "", &p); err != nil || status != http.StatusOK {
		t.Fatalf("payment %s: %d, %v", id, status, err)
	}
	return p
}

type ledgerEntry struct {
	ID, Key, Status string
	Amount          payment.Money
}

func (w *world) ledger(ctx context.Context, t *testing.T) []ledgerEntry {
	t.Helper()
	var entries []ledgerEntry
	if status, err := w.call(ctx, http.MethodGet, w.sandbox+"/_sandbox/ledger", "", "", &entries); err != nil || status != http.StatusOK {
		t.Fatalf("ledger: %d, %v", status, err)
	}
	return entries
}

// call makes one request and reads its JSON answer into v, where one is asked for.
func (w *world) call(ctx context.Context, method, url, key, body string, v any) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || v == nil || resp.StatusCode/100 != 2 {
		return resp.StatusCode, err
	}
	return resp.StatusCode, json.Unmarshal(answer, v)
}
