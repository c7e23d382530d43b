package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsimple"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin"
)

// lockName is the lock file's name. It lies beside the rules.
const lockName = "router.lock.hcl"

// lock says which plugin binaries may be started.
type lock struct {
	Plugins []lockedPlugin `hcl:"plugin,block"`
}

// lockedPlugin is one plugin, by the name or path that the rules give it.
type lockedPlugin struct {
	Plugin   string            `hcl:"name,label"`
	Version  string            `hcl:"version"`
	Protocol int               `hcl:"protocol"`
	SHA256   map[string]string `hcl:"sha256"` // by platform: linux/amd64
}

func newProvidersLockCmd() command {
	return command{
		name: "providers lock", summary: "write down which plugin binaries may be started, in " + lockName + " beside the rules",
		details: "From then on no command that configures plugins by these rules starts one that is not in the file or differs from\n" +
			"it; dev warns. Hashes of other platforms, and of plugins that the rules name no more, are kept. Keep the file with the rules, and review its changes.",
		example: "  router providers lock -c routing.hcl",
		setup: func(flags *flag.FlagSet) action {
			path := rulesFlag(flags)
			return func(ctx context.Context, s streams, _ []string) error { return writeLock(ctx, s.out, *path) }
		},
	}
}

func lockPath(rulesPath string) string {
	if stat, err := os.Stat(rulesPath); err == nil && stat.IsDir() {
		return filepath.Join(rulesPath, lockName)
	}
	return filepath.Join(filepath.Dir(rulesPath), lockName)
}

// unlockedFlag is -unlocked, of the commands that hand plugins their secrets.
func unlockedFlag(flags *flag.FlagSet) *bool {
	return flags.Bool("unlocked", false, "start plugins that "+lockName+" refuses, with a warning for each; for development")
}

// readLock returns nil where there is no lock file.
func readLock(path string) (*lock, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var l lock
	if err := hclsimple.Decode(path, content, nil, &l); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w; remove it and write it anew: router providers lock", path, err)
	}
	return &l, nil
}

// lockLabel is a plugin's label in a lock file: its name, or its path as seen from the file, so that both can move.
func lockLabel(path, plugin string) string {
	if !filepath.IsAbs(plugin) {
		return plugin
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return plugin
	}
	relative, err := filepath.Rel(dir, plugin)
	if err != nil {
		return plugin
	}
	return "./" + filepath.ToSlash(relative)
}

func (l *lock) find(name string) *lockedPlugin {
	i := slices.IndexFunc(l.Plugins, func(p lockedPlugin) bool { return p.Plugin == name })
	if i < 0 {
		return nil
	}
	return &l.Plugins[i]
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

func writeLock(ctx context.Context, out io.Writer, rulesPath string) error {
	rules, diagnostics := loadWithoutSecrets(rulesPath)
	if rules == nil {
		return diagnostics
	}
	path := lockPath(rulesPath)
	l, err := readLock(path)
	if err != nil {
		return err
	}
	if l == nil {
		l = &lock{}
	}
	for _, block := range rules.Providers() {
		binary, err := plugins().Find(block.Plugin)
		if err != nil {
			return err
		}
		sum, err := hashOf(binary)
		if err != nil {
			return err
		}
		info, err := infoFrom(ctx, plugins(), block)
		if info.Name == "" { // else it only refuses a configuration without its secrets
			return err
		}
		label := lockLabel(path, block.Plugin)
		locked := l.find(label)
		if locked == nil {
			l.Plugins = append(l.Plugins, lockedPlugin{Plugin: label})
			locked = l.find(label)
		}
		if locked.Version != info.Version || locked.SHA256 == nil {
			locked.SHA256 = map[string]string{} // the hashes of another version
		}
		locked.Version, locked.Protocol, locked.SHA256[platform()] = info.Version, plugin.ProtocolVersion, sum
		fmt.Fprintf(out, "%s %s %s %s\n", label, info.Version, platform(), sum)
	}
	slices.SortFunc(l.Plugins, func(a, b lockedPlugin) int { return strings.Compare(a.Plugin, b.Plugin) })
	file := hclwrite.NewEmptyFile()
	gohcl.EncodeIntoBody(l, file.Body())
	content := append([]byte("# Which plugin binaries may be started. Written by: router providers lock\n\n"), file.Bytes()...)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return err
	}
	fmt.Fprintln(out, "written to", path)
	return nil
}

// locked starts only the plugins that a lock file lists, each with its hash pinned.
type locked struct {
	*plugin.Launcher
	lock *lock
	path string
}

func (l locked) Launch(ctx context.Context, spec provider.Spec) (provider.Provider, error) {
	label := lockLabel(l.path, spec.Plugin)
	update := "if it is the one you want: router providers lock"
	entry := l.lock.find(label)
	if entry == nil {
		return nil, fmt.Errorf("plugin %q is not in %s; %s", label, l.path, update)
	}
	sum, ok := entry.SHA256[platform()]
	if !ok {
		return nil, fmt.Errorf("plugin %q has no hash for %s in %s; %s", label, platform(), l.path, update)
	}
	if spec.SHA256 != "" && !strings.EqualFold(spec.SHA256, sum) {
		return nil, fmt.Errorf("plugin %q is pinned to %s by the rules, and to %s by %s; make them agree", label, spec.SHA256, sum, l.path)
	}
	spec.SHA256 = sum
	p, err := l.Launcher.Launch(ctx, spec)
	if err != nil {
		return nil, err
	}
	if version := p.Info().Version; version != entry.Version {
		return nil, errors.Join(fmt.Errorf("plugin %q says that it is version %s, and %s says %s; %s", label, version, l.path, entry.Version, update), p.Close(ctx))
	}
	return p, nil
}

// lockedPlugins returns what starts the plugins of a set of rules, by their lock file where there is one. override
// starts any, and says so for each.
func lockedPlugins(rulesPath string, override bool, log *slog.Logger) (provider.Launcher, error) {
	return lockedLauncher(plugins(), rulesPath, override, log)
}

func lockedLauncher(launcher *plugin.Launcher, rulesPath string, override bool, log *slog.Logger) (provider.Launcher, error) {
	path := lockPath(rulesPath)
	l, err := readLock(path)
	switch {
	case err != nil:
		return nil, err
	case l == nil:
		return launcher, nil
	case override:
		return unlocked{locked{launcher, l, path}, log}, nil
	}
	return locked{launcher, l, path}, nil
}

// unlocked starts what a lock file refuses, loudly.
type unlocked struct {
	locked
	log *slog.Logger
}

func (u unlocked) Launch(ctx context.Context, spec provider.Spec) (provider.Provider, error) {
	p, err := u.locked.Launch(ctx, spec)
	if err == nil {
		return p, nil
	}
	u.log.Warn("STARTING A PLUGIN THAT THE LOCK FILE REFUSES; not for production", "plugin", spec.Plugin, "refused", err)
	return u.Launcher.Launch(ctx, spec)
}
