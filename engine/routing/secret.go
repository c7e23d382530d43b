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

// callError is what is wrong with a call of env() or file().
type callError struct{ summary, detail string }

func (e *callError) Error() string { return e.summary }

func callErrorf(detail, format string, args ...any) *callError {
	return &callError{fmt.Sprintf(format, args...), detail}
}

// functions returns env() and file(). Relative files start at dir.
func functions(dir string, o Options) map[string]function.Function {
	// A marked argument would otherwise be unmarked for the call, and shown as a name.
	name := function.Parameter{Name: "name", Type: cty.String, AllowMarked: true}
	text := func(impl func(args []cty.Value) (string, *callError), rest *function.Parameter) function.Function {
		return function.New(&function.Spec{
			Params: []function.Parameter{name}, VarParam: rest, Type: function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				if args[0].IsMarked() {
					return cty.NilVal, callErrorf("A name is no secret: write it out.", "The name cannot come from env() or file()")
				}
				s, err := impl(args)
				if err != nil {
					return cty.NilVal, err
				}
				return cty.StringVal(s).Mark(secretMark{}), nil
			},
		})
	}
	return map[string]function.Function{
		"env": text(func(args []cty.Value) (string, *callError) {
			return lookUpEnv(o, args[0].AsString(), args[1:])
		}, &function.Parameter{Name: "default", Type: cty.String}),
		"file": text(func(args []cty.Value) (string, *callError) {
			text, err := readSecret(dir, args[0].AsString())
			if err != nil && o.Unset != nil {
				return o.Unset(args[0].AsString()), nil
			}
			return text, err
		}, nil),
	}
}

// lookUpEnv takes a variable that is set to nothing for a forgotten one: no secret is empty.
func lookUpEnv(o Options, name string, defaults []cty.Value) (string, *callError) {
	value, ok := o.Env(name)
	switch {
	case len(defaults) > 1:
		return "", callErrorf(`Write env("NAME") or env("NAME", "default").`, "env takes a name and at most one default")
	case !utf8.ValidString(value):
		return "", callErrorf("", "Environment variable %s does not hold UTF-8", name)
	case ok && value != "":
		return value, nil
	case len(defaults) == 1:
		return defaults[0].AsString(), nil
	case o.Unset != nil:
		return o.Unset(name), nil
	}
	return "", callErrorf(fmt.Sprintf("Set it, or write env(%q, \"default\").", name), "Environment variable %s is not set", name)
}

// readSecret reads a file without its last line break. A relative name stays within dir, links included.
func readSecret(dir, name string) (string, *callError) {
	unreadable := func(err error) (string, *callError) {
		return "", callErrorf(describeFileError(err)+".", "File %s cannot be read", name)
	}
	f, err := openSecret(dir, name)
	if err != nil {
		return unreadable(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return unreadable(err)
	}
	if !info.Mode().IsRegular() {
		return "", callErrorf("", "%s is not a regular file", name)
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return "", callErrorf(fmt.Sprintf("Take that permission away: its mode is %04o.", mode),
			"File %s can be changed by other users", name)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	switch {
	case err != nil:
		return unreadable(err)
	case len(content) > maxSecretFile:
		return "", callErrorf("", "File %s is larger than %d bytes", name, maxSecretFile)
	case !utf8.Valid(content):
		return "", callErrorf("", "File %s does not hold UTF-8", name)
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
