package pebblestore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/pebblestore"
	"github.com/cauce-pay/cauce/payment"
)

// TestKilledProcess has another process write and kills it: its directory is locked meanwhile, and holds
// afterwards what that process was told to be stored.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "with", "parents")
	child := exec.Command(os.Args[0], "-test.run=^TestWriteForParent$")
	child.Env = append(os.Environ(), "CAUCE_WRITE_TO="+dir)
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	acked := 0
	for acked < 50 && lines.Scan() {
		if acked++; acked == 1 {
			_, err := pebblestore.Open(dir, nil)
			if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), dir) {
				t.Errorf("opening what another process has open: %v, want ErrLocked with the directory", err)
			}
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		acked++
	}
	child.Wait()
	if acked < 50 {
		t.Fatalf("the other process wrote only %d payments", acked)
	}
	s, err := pebblestore.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	last, _, err := check(s)
	if err != nil {
		t.Fatal(err)
	}
	for n := range acked {
		if id := fmt.Sprintf("pay_%026d", n); last[id] < 3 {
			t.Errorf("payment %s was acknowledged and is gone", id)
		}
	}
}

// TestWriteForParent is the other process of TestKilledProcess: it prints a line for each payment stored.
func TestWriteForParent(t *testing.T) {
	dir := os.Getenv("CAUCE_WRITE_TO")
	if dir == "" {
		t.Skip("runs in a process of its own")
	}
	s, err := pebblestore.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := int64(0); ; n++ {
		mustCreate(t, s, n)
		fmt.Println(n)
	}
}

// TestOneDirectoryOneStore: a directory is one, by whichever name, within a process too.
func TestOneDirectoryOneStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	s, err := pebblestore.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustCreate(t, s, 1)
	for _, name := range []string{dir, dir + "/.", link} {
		if _, err := pebblestore.Open(name, nil); !errors.Is(err, store.ErrLocked) {
			t.Errorf("opening it again as %s: %v, want ErrLocked", name, err)
		}
	}
	mustCreate(t, s, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = pebblestore.Open(link, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    []string
	}{
		"a file": {func(t *testing.T, dir string) { writeFile(t, dir) }, []string{"it is a file"}},
		"a directory of something else": {func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "notes.txt"))
		}, []string{"no store", "notes.txt"}},
		"another program's database": {func(t *testing.T, dir string) {
			db, err := pebble.Open(dir, &pebble.Options{Logger: quiet{}})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Set([]byte("key"), nil, pebble.Sync), db.Close()); err != nil {
				t.Fatal(err)
			}
		}, []string{"another program", "directory of its own"}},
		"a newer store": {func(t *testing.T, dir string) {
			s, err := pebblestore.Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(pebblestore.SetFormat(s, 4), s.Close()); err != nil {
				t.Fatal(err)
			}
		}, []string{"newer program", "format 4", "reads 3"}},
		"an older store": {func(t *testing.T, dir string) {
			s, err := pebblestore.Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(pebblestore.SetFormat(s, 2), s.Close()); err != nil {
				t.Fatal(err)
			}
		}, []string{"older program", "format 2", "reads 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			c.prepare(t, dir)
			_, err := pebblestore.Open(dir, nil)
			if err == nil {
				t.Fatal("it was opened")
			}
			for _, want := range append(c.want, dir) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
		})
	}
}

func writeFile(t *testing.T, path string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

func TestReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	disk := newLab(vfs.NewMem(), func(op errorfs.Op) error {
		if op.Kind == errorfs.OpLock {
			return &fs.PathError{Op: "open", Path: op.Path, Err: syscall.EROFS}
		}
		return nil
	})
	_, err := tryOpen(disk)
	if errors.Is(err, store.ErrLocked) || !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "data cannot be written") {
		t.Errorf("opening a read-only directory: %v", err)
	}
}

func TestLostAndFound(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	if err := disk.MkdirAll("data/lost+found", 0o700); err != nil {
		t.Fatal(err)
	}
	mustCreate(t, open(t, disk), 1)
}

// TestLeasesEnd: opening a store ends all leases.
func TestLeasesEnd(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	s := open(t, disk)
	p := mustCreate(t, s, 1)
	for range 2 {
		ids, err := s.Claim(background, p.NextLookupAt, 1<<40, 1)
		if err != nil || len(ids) != 1 {
			t.Errorf("claimed %v (%v), want the payment", ids, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, disk)
	}
}

// TestEndedContext: a call whose context has ended does nothing.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.NewMem())
	ctx, cancel := context.WithCancel(background)
	cancel()
	p, events := intentOf(1)
	if err := s.Create(ctx, p, events); !errors.Is(err, context.Canceled) {
		t.Errorf("Create: %v, want context.Canceled", err)
	}
	if _, err := s.Get(background, p.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get afterwards: %v, want ErrNotFound", err)
	}
}

// TestForeignCursors: the cursors of one store are none of another.
func TestForeignCursors(t *testing.T) {
	t.Parallel()
	one, other := open(t, vfs.NewMem()), open(t, vfs.NewMem())
	for n := range int64(3) {
		mustCreate(t, one, n)
		mustCreate(t, other, n)
	}
	page, err := one.List(background, store.Filter{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	end, err := one.FeedEnd(background)
	if err != nil {
		t.Fatal(err)
	}
	_, list := other.List(background, store.Filter{Limit: 1, Cursor: page.Next})
	_, feed := other.Feed(background, end, 1)
	if !errors.Is(list, store.ErrBadCursor) || !errors.Is(feed, store.ErrBadCursor) {
		t.Errorf("List: %v, Feed: %v; want ErrBadCursor", list, feed)
	}
}

// TestTakenID: a payment is never overwritten by another of its id, be it the newest one or not, before and after
// the store was opened again.
func TestTakenID(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	s := open(t, disk)
	written := []*payment.Payment{mustCreate(t, s, 1), mustCreate(t, s, 3), mustCreate(t, s, 2)}
	for _, reopened := range []bool{false, true} {
		if reopened {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, disk)
		}
		for _, first := range written {
			other, events := intentOf(4)
			other.ID, events[0].Data.Payment = first.ID, first.ID
			if err := s.Create(background, other, events); !errors.Is(err, store.ErrConflict) {
				t.Errorf("reopened %t: Create with the id of %s: %v, want ErrConflict", reopened, first.IdempotencyKey, err)
			}
			p, err := s.Get(background, first.ID)
			if err != nil || p.IdempotencyKey != first.IdempotencyKey {
				t.Errorf("reopened %t: the first payment is %+v (%v)", reopened, p, err)
			}
		}
	}
}

// TestNonsense: what does not hang together is refused before anything is written.
func TestNonsense(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.NewMem())
	for name, change := range map[string]func(*draft){
		"no events":                 func(d *draft) { d.events = nil },
		"a gap":                     func(d *draft) { d.events = append(d.events[:1], d.events[2:]...) },
		"state before its events":   func(d *draft) { d.p.Seq-- },
		"no id":                     func(d *draft) { d.p.ID = "" },
		"no key":                    func(d *draft) { d.p.IdempotencyKey = "" },
		"not created first":         func(d *draft) { d.events[0].Type = "decided" },
		"no request":                func(d *draft) { d.events[0].Data.Request = nil },
		"another request than said": func(d *draft) { d.p.Reference = "other" },
		"another key than said":     func(d *draft) { d.p.IdempotencyKey = "other" },
		"another time than said":    func(d *draft) { d.p.CreatedAt = d.p.CreatedAt.Add(1) },
	} {
		p, events := intentOf(1)
		d := &draft{p, events}
		change(d)
		if err := s.Create(background, d.p, d.events); err == nil || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: Create says %v", name, err)
		}
	}
	last, feed, err := check(s)
	if err != nil || len(last) != 0 || len(feed) != 0 {
		t.Errorf("afterwards there are %d payments and %d events (%v)", len(last), len(feed), err)
	}
}
