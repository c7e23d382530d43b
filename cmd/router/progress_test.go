package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	for noun, want := range map[string]string{
		"payment": "\r10 payments, 5 a second\r10 payments, 0 a second\r                       \r",
		"":        "\rworking, 2 s\rworking, 1000 s\r               \r",
	} {
		var out bytes.Buffer
		began, ticks := time.Now(), make(chan time.Time)
		p := newProgress(&out, noun, began, ticks)
		p.count.Add(10)
		ticks <- began.Add(2 * time.Second)
		ticks <- began.Add(1000 * time.Second)
		p.stop()
		p.stop()
		if out.String() != want {
			t.Errorf("%q: %q, want %q", noun, out.String(), want)
		}
	}
}

func TestIsTerminal(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if isTerminal(f) || isTerminal(w) || isTerminal(new(bytes.Buffer)) {
		t.Error("a file, a pipe or memory passes for a terminal")
	}
}
