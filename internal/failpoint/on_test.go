//go:build failpoints

package failpoint

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestErr(t *testing.T) {
	file := filepath.Join(t.TempDir(), "points")
	t.Setenv(variable, file)
	for _, step := range []struct {
		entries string // of the file from now on; "" = it is missing
		fails   []bool // the passages of disk-sync
	}{
		{"", []bool{false}},
		{"disk-sync=EIO", []bool{true, true}},
		{"disk-sync=EIO@2", []bool{false, true, false}},
		{"disk-write=EIO\ndisk-sync=EIO@2+", []bool{false, true, true}},
		{"disk-write=EIO", []bool{false}},
		{"disk-sync=EIO@2+", []bool{false, true}},
		{"disk-sync=sleep:1us", []bool{false}},
	} {
		_ = os.Remove(file)
		if step.entries != "" {
			if err := os.WriteFile(file, []byte(step.entries), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for n, fails := range step.fails {
			if err := Err(DiskSync); errors.Is(err, syscall.EIO) != fails || !fails && err != nil {
				t.Errorf("%q, passage %d: %v", step.entries, n+1, err)
			}
		}
	}
	for _, wrong := range []string{"disk-sync", "disk-sync=stop", "disk-sync=EIO@x", "disk-sync=sleep:1"} {
		if _, err := parse(wrong); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}
