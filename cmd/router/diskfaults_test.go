package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/payment"
)

// TestDiskFaults has the router's disk fail at the nth write or sync, for good: callers are told to come again, the
// router stops with its exit code, and on a sound disk it has every payment, once.
//
// CAUCE_DISK_FAULTS sets how far n goes.
func TestDiskFaults(t *testing.T) {
	t.Parallel()
	f := newFrail(t, "", "coopcentral")
	f.start(t)
	for n := 1; n <= envInt("CAUCE_DISK_FAULTS", 2); n++ {
		for _, fault := range []string{"disk-write=EIO", "disk-write=ENOSPC", "disk-write=EROFS", "disk-sync=EIO"} {
			f.failing(t, fmt.Sprintf("%s@%d+", fault, n))
			for asked := 0; asked < 3 || asked < 60 && !closed(f.api.router.gone); asked++ {
				f.ask(t, f.lanes[0])
				if asked >= 2 { // writes that are synced together are few syncs
					pause(t.Context(), 100*time.Millisecond)
				}
			}
			if code := f.ended(t); code != exitStoreLost {
				t.Fatalf("%s: exit code %d:\n%s", fault, code, f.api.router.output())
			}
			f.failing(t, "")
			f.start(t)
		}
	}
	f.judge(t)
}

// ended waits until the router has ended by itself, and returns its exit code.
func (f *frail) ended(t *testing.T) int {
	t.Helper()
	waitUntil(t.Context(), t, func() bool { return closed(f.api.router.gone) })
	return f.api.router.ProcessState.ExitCode()
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// A router on a disk that cannot be written does not start, and says what is wrong.
func TestStartOnFailingDisk(t *testing.T) {
	t.Parallel()
	f := newFrail(t, "", "coopcentral")
	f.start(t)
	a := f.ask(t, f.lanes[0])
	a.wait(t)
	f.api.router.kill()
	for _, fault := range []string{"disk-write=EROFS", "disk-sync=EIO", "disk-create=ENOSPC"} {
		f.failing(t, fault)
		f.startDying(t)
		if out := f.api.router.output(); f.ended(t) == exitOK || !strings.Contains(out, filepath.Join(f.api.dir, "data")) {
			t.Errorf("%s: exit code %d:\n%s", fault, f.api.router.ProcessState.ExitCode(), out)
		}
	}
	f.failing(t, "")
	f.start(t)
	f.judge(t)
}

// refused is what a caller is told while nothing new can be stored.
func (f *frail) refused(t *testing.T, code string) {
	t.Helper()
	l := f.lanes[0]
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.api.url+"/v1/payments",
		strings.NewReader(l.form.body(wireCase{written: "9999", document: "CC", kind: "natural"})))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Idempotency-Key", "refused")
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.api.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var problem struct{ Code, Detail string }
	if err := json.NewDecoder(resp.Body).Decode(&problem); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || problem.Code != code || problem.Detail == "" {
		t.Errorf("%s, Retry-After %q, %+v", resp.Status, resp.Header.Get("Retry-After"), problem)
	}
}

// survivesFull demands that a router whose disk has become full refuses new payments, answers known keys, resolves old
// ones, and takes new ones as soon as there is space again.
func (f *frail) survivesFull(t *testing.T, fill, free func()) {
	t.Helper()
	a := f.ask(t, f.lanes[0])
	p := a.wait(t)
	fill()
	f.refused(t, "store_full")
	if again, err := f.api.payUntilAcknowledged(t.Context(), a.key, a.body); err != nil || again.ID != p.ID {
		t.Errorf("a known key: %+v, %v", again, err)
	}
	f.lanes[0].approve(t, p.Current().Key)
	f.api.refresh(t, p.ID)
	if now := f.api.get(t.Context(), t, p.ID); now.Status != payment.Succeeded {
		t.Errorf("an old payment is %s", now.Status)
	}
	free()
	f.ask(t, f.lanes[0])
	f.judge(t)
}

func TestDiskWithoutSpace(t *testing.T) {
	t.Parallel()
	f := newFrail(t, "", "coopcentral")
	f.start(t)
	f.survivesFull(t, func() { f.failing(t, "disk-space=ENOSPC") }, func() { f.failing(t, "") })
}

// TestFullDisk fills a real disk of 32 MiB, where a tmpfs can be mounted for one process.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	const mount = `mount -t tmpfs -o size=32m none "$0"`
	if out, err := exec.Command("unshare", "-U", "-r", "-m", "sh", "-c", mount, t.TempDir()).CombinedOutput(); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v %s", err, out)
	}
	f := newFrail(t, "", "coopcentral")
	data := filepath.Join(f.api.dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	f.api.router, _ = startCommand(t, "msg=serving", exec.Command("unshare", append([]string{
		"-U", "-r", "-m", "sh", "-c", mount + ` && exec "$@"`, data, binary("frail-router")}, f.serve()...)...))
	filler := filepath.Join("/proc", fmt.Sprint(f.api.router.Process.Pid), "root", data, "lost+found")
	f.survivesFull(t, func() {
		err := os.WriteFile(filler, make([]byte, 31<<20), 0o600)
		if info, statErr := os.Stat(filler); statErr != nil || info.Size() < 1<<20 {
			t.Fatal(errors.Join(err, statErr))
		}
	}, func() {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	})
}
