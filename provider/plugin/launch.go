package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/cauce-pay/cauce/provider"
)

// Clock is the time as the supervision of plugins sees it: back-off and log rates. The engine's clock fits.
type Clock interface {
	Now() time.Time
	// AfterFunc runs f in its own goroutine after d and returns a function that stops it.
	AfterFunc(d time.Duration, f func()) (stop func())
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// Launcher starts plugin processes. The zero value finds plugins by path only.
type Launcher struct {
	// Dirs are the directories in which plugins are looked for by name, in order.
	Dirs []string
	// Env names the variables of the host's environment that plugins get besides those of the handshake; none
	// by default. HTTPS_PROXY and SSL_CERT_FILE are usual ones.
	Env []string
	// StartTimeout bounds the time from starting a process to its first answer; 0 = 10 seconds.
	StartTimeout time.Duration
	// Clock is the time that back-off and log rates go by; nil = the system's.
	Clock Clock
	// Unmasked leaves secrets and personal data in what plugins log and in the messages of their answers, so that a
	// suite that judges plugins sees what they tell. Whoever sets it masks before anybody reads; a router never does.
	Unmasked bool
}

var _ provider.Launcher = (*Launcher)(nil)

const defaultStartTimeout = 10 * time.Second

// Dir returns a launcher that looks for plugins in dirs, in order.
func Dir(dirs ...string) *Launcher { return &Launcher{Dirs: dirs} }

// Launch starts the plugin that spec names and returns the provider that it serves, not configured yet. ctx
// bounds the start alone. From then on the process is watched: when it dies it is started again, configured as
// before, with growing pauses between failures; calls meanwhile fail with CodeUnavailable (provider.ErrNotRunning).
// Close ends it.
//
// A call whose request may have reached the plugin, and that has no readable answer by its deadline, fails with
// CodeUnknown.
func (l *Launcher) Launch(ctx context.Context, spec provider.Spec) (provider.Provider, error) {
	path, err := l.Find(spec.Plugin)
	if err != nil {
		return nil, err
	}
	r := newRemote(l, spec, path)
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Find returns the path of the binary that Launch would start for a plugin: a name is looked for in the
// launcher's directories, a path is taken as it is.
func (l *Launcher) Find(plugin string) (string, error) {
	if plugin == "" {
		return "", errors.New("plugin: no plugin is named")
	}
	if plugin != filepath.Base(plugin) {
		return usable(plugin)
	}
	name := plugin
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	for _, dir := range l.Dirs {
		path, err := usable(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return path, err
	}
	if len(l.Dirs) == 0 {
		return "", fmt.Errorf("plugin: %q cannot be looked for: no directory of plugins is known; give its path", plugin)
	}
	return "", fmt.Errorf("plugin: %q is not in %s; build or install it there, or give its path",
		plugin, strings.Join(l.Dirs, ", "))
}

// usable returns path as an absolute one, if there is a program.
func usable(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("plugin: %w", err)
	}
	stat, err := os.Stat(absolute)
	switch {
	case err != nil:
		return "", fmt.Errorf("plugin: %w", err)
	case stat.IsDir():
		return "", fmt.Errorf("plugin: %s is a directory, not a program", absolute)
	case runtime.GOOS != "windows" && stat.Mode()&0o111 == 0:
		return "", fmt.Errorf("plugin: %s is not executable (mode %s); chmod +x it", absolute, stat.Mode())
	}
	return absolute, nil
}

// verify compares the sha256 of the file at path with the pinned one. The directory must be writable for nobody
// who is not trusted: between this look and the start the file could be exchanged.
func verify(path, pinned string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("plugin: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("plugin: reading %s: %w", path, err)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); !strings.EqualFold(sum, pinned) {
		return fmt.Errorf("plugin: %s has the sha256 %s, but %s is pinned: another build, or it was tampered with", path, sum, pinned)
	}
	return nil
}

// environment returns the variables that plugins get besides those of the handshake.
func (l *Launcher) environment() []string {
	var env []string
	for _, name := range l.Env {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func (l *Launcher) startTimeout() time.Duration {
	if l.StartTimeout > 0 {
		return l.StartTimeout
	}
	return defaultStartTimeout
}

func (l *Launcher) clock() Clock {
	if l.Clock != nil {
		return l.Clock
	}
	return systemClock{}
}

func loggerOf(spec provider.Spec) *slog.Logger {
	if spec.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return spec.Logger.With("provider", spec.Name)
}
