package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/cauce-pay/cauce/bench/measure"
)

// startPostgres starts the command postgres, a module of its own: whoever imports this one inherits no driver.
// It measures when it is told to, a line for a line.
func startPostgres(bin, dir string) (s subject, closeIt func() error, err error) {
	path := filepath.Join(bin, "postgres")
	if _, err := os.Stat(path); err != nil {
		return s, nil, errors.New("its command was not built; run: go -C bench/postgres build -o ../../bin/bench/")
	}
	cmd := exec.Command(path, "-plugins", bin, "-dir", dir)
	cmd.Stderr = os.Stderr
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		return s, nil, err
	}
	closeIt = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return s, nil, errors.Join(errors.New("it did not start"), closeIt())
	}
	fmt.Println(lines.Text())
	return subject{rival, func(_ context.Context, callers int, length time.Duration) (r measure.Result, err error) {
		if _, err := fmt.Fprintln(in, callers, length); err != nil {
			return r, err
		}
		if !lines.Scan() {
			return r, errors.Join(io.ErrUnexpectedEOF, lines.Err())
		}
		return r, json.Unmarshal(lines.Bytes(), &r)
	}}, closeIt, nil
}
