package routing

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Value is one value of a provider's config block, as text: numbers keep the digits that were written, booleans
// are true or false. However it is printed, logged or encoded, its text stays in; read Text.
type Value struct {
	Text   string
	Secret bool // it came from env() or file()
}

const hidden = "(hidden)"

// String returns "(hidden)".
func (Value) String() string { return hidden }

// GoString returns "(hidden)".
func (Value) GoString() string { return hidden }

// Format prints "(hidden)" whatever the verb.
func (Value) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, hidden) }

// LogValue logs "(hidden)".
func (Value) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalJSON writes "(hidden)".
func (Value) MarshalJSON() ([]byte, error) { return json.Marshal(hidden) }

// quoted returns the text for an error message, unless it is secret.
func (v Value) quoted() string {
	if v.Secret {
		return "the value"
	}
	return fmt.Sprintf("%.60q", v.Text)
}

// secretMark is the cty mark of what came from env() or file(). HCL carries it through templates and locals.
type secretMark struct{}

// maxSecretFile bounds what file() reads.
const maxSecretFile = 64 << 10

// functions returns env() and file(). Relative files start at dir.
func functions(dir string, env func(string) (string, bool)) map[string]function.Function {
	text := function.Parameter{Name: "name", Type: cty.String}
	return map[string]function.Function{
		"env": function.New(&function.Spec{
			Params:   []function.Parameter{text},
			VarParam: &function.Parameter{Name: "default", Type: cty.String},
			Type:     function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				if len(args) > 2 {
					return cty.NilVal, function.NewArgErrorf(2, "env takes a name and at most one default")
				}
				// A variable that is set to nothing is a forgotten one, never an empty secret.
				if value, ok := env(args[0].AsString()); ok && value != "" {
					if !utf8.ValidString(value) {
						return cty.NilVal, function.NewArgErrorf(0, "environment variable %s does not hold UTF-8", args[0].AsString())
					}
					return cty.StringVal(value).Mark(secretMark{}), nil
				}
				if len(args) == 2 {
					return args[1].Mark(secretMark{}), nil
				}
				return cty.NilVal, function.NewArgErrorf(0, "environment variable %s is not set, and env has no default", args[0].AsString())
			},
		}),
		"file": function.New(&function.Spec{
			Params: []function.Parameter{text},
			Type:   function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				value, err := readSecret(dir, args[0].AsString())
				if err != nil {
					return cty.NilVal, function.NewArgError(0, err)
				}
				return cty.StringVal(value).Mark(secretMark{}), nil
			},
		}),
	}
}

// readSecret reads a file without its last line break. A relative name stays within dir, links included.
func readSecret(dir, name string) (string, error) {
	f, err := openSecret(dir, name)
	if err != nil {
		return "", fmt.Errorf("file %s cannot be read: %s", name, describeFileError(err))
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", fmt.Errorf("file %s cannot be read: %s", name, describeFileError(err))
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a regular file", name)
	case info.Mode().Perm()&0o022 != 0:
		return "", fmt.Errorf("file %s can be changed by other users (mode %04o); take that permission away", name, info.Mode().Perm())
	}
	content, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("file %s cannot be read: %s", name, describeFileError(err))
	case len(content) > maxSecretFile:
		return "", fmt.Errorf("file %s is larger than %d bytes", name, maxSecretFile)
	case !utf8.Valid(content):
		return "", fmt.Errorf("file %s does not hold UTF-8", name)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), nil
}

// openSecret does not wait at a pipe that nobody writes to.
func openSecret(dir, name string) (*os.File, error) {
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	if filepath.IsAbs(name) {
		return os.OpenFile(name, flags, 0)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(name, flags, 0)
	if err != nil && !filepath.IsLocal(name) {
		return nil, errors.New("a relative name stays within the folder of the rules; use an absolute one")
	}
	return f, err
}
