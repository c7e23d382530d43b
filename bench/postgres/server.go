package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// server is a PostgreSQL of the system, started for this run: its defaults, a socket in its own directory.
type server struct {
	bin, data string
	as        *syscall.SysProcAttr
	url       string
}

// startServer makes a cluster below dir and starts it.
func startServer(dir string) (*server, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(dir, "postgres-")
	if err != nil {
		return nil, err
	}
	s := &server{bin: bin, data: data}
	if err := s.avoidRoot(dir); err != nil {
		return nil, err
	}
	if err := s.command("initdb", "-D", data, "-U", "bench", "-A", "trust"); err != nil {
		return nil, err
	}
	options := "-c listen_addresses= -c max_connections=300 -c unix_socket_directories=" + data
	if err := s.command("pg_ctl", "-D", data, "-w", "-l", filepath.Join(data, "log"), "-o", options, "start"); err != nil {
		return nil, err
	}
	s.url = "host=" + data + " user=bench dbname=postgres"
	return s, nil
}

func (s *server) stop() error { return s.command("pg_ctl", "-D", s.data, "-m", "immediate", "stop") }

func (s *server) command(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.SysProcAttr, cmd.Dir = s.as, s.data
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// findBinaries returns the directory of PostgreSQL's programs: that of initdb in the path, else the newest one
// where Debian and its kin put them.
func findBinaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("there is no PostgreSQL here: install it, or name a server in CAUCE_BENCH_POSTGRES")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

// avoidRoot makes the server run as another user where this is root, which PostgreSQL refuses.
func (s *server) avoidRoot(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	other, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, uidErr := strconv.Atoi(other.Uid)
	gid, gidErr := strconv.Atoi(other.Gid)
	s.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return errors.Join(uidErr, gidErr, os.Chown(s.data, uid, gid), os.Chmod(dir, 0o711))
}
