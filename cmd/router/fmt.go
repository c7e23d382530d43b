package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cauce-pay/cauce/engine/routing"
)

func newFmtCmd() command {
	return command{
		name: "fmt", disposable: true, args: "[FILE]", summary: "write rules in their canonical form",
		details: "Of a directory it formats every *.hcl, and beside a file its _test.hcl too; - formats standard input to standard\n" +
			"output. It prints the names of the files that it changes. Comments are kept, and the meaning stays the same.",
		example: "  router fmt -check routing.hcl",
		setup: func(flags *flag.FlagSet) action {
			path := rulesFlag(flags)
			check := flags.Bool("check", false, "change nothing; exit with 1 if a file is not in its canonical form")
			return func(_ context.Context, s streams, args []string) error {
				if len(args) > 0 {
					*path = args[0]
				}
				if *path == "-" {
					return formatStream(s, *check)
				}
				return formatFiles(s, *path, *check)
			}
		},
	}
}

func formatStream(s streams, check bool) error {
	content, err := io.ReadAll(s.in)
	if err != nil {
		return err
	}
	formatted, found := routing.Format("standard input", content)
	switch {
	case found.HasErrors():
		return found
	case !check:
		_, err = s.out.Write(formatted)
		return err
	case !bytes.Equal(content, formatted):
		return errNotFine
	}
	return nil
}

func formatFiles(s streams, path string, check bool) error {
	names, err := routing.Files(path)
	if err != nil {
		return err
	}
	var faults error
	fine := true
	for _, name := range names {
		changed, err := formatFile(name, check)
		faults = errors.Join(faults, err)
		if changed {
			fine = false
			fmt.Fprintln(s.out, name)
		}
	}
	if faults == nil && check && !fine {
		return errNotFine
	}
	return faults
}

// formatFile reports whether a file is not in its canonical form. Unless it only checks, it replaces it as a whole.
func formatFile(name string, check bool) (changed bool, err error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return false, err
	}
	formatted, found := routing.Format(name, content)
	if found.HasErrors() {
		return false, found
	}
	if bytes.Equal(content, formatted) {
		return false, nil
	}
	if check {
		return true, nil
	}
	return true, replaceFile(name, formatted)
}

// replaceFile leaves the file as it was or as it is to be, whatever happens. A link stays one.
func replaceFile(name string, content []byte) error {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
