package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin"
)

// plugins returns what starts plugins: binaries beside this one, then those in the directories of CAUCE_PLUGIN_PATH.
func plugins() *plugin.Launcher {
	var dirs []string
	if self, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(self))
	}
	for _, dir := range filepath.SplitList(os.Getenv("CAUCE_PLUGIN_PATH")) {
		if dir != "" {
			dirs = append(dirs, dir)
		}
	}
	launcher := plugin.Dir(dirs...)
	// What a machine may need to reach providers at all.
	launcher.Env = []string{"HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"}
	return launcher
}

// startProvider starts a provider's plugin and configures it, by the launcher that lockedPlugins gave. A plugin that
// refuses its configuration is returned with the error, for the caller to ask what it is, and to close.
func startProvider(ctx context.Context, launcher provider.Launcher, block routing.Provider) (provider.Provider, error) {
	p, err := launcher.Launch(ctx, provider.Spec{Name: block.Name, Plugin: block.Plugin, SHA256: block.SHA256, Timeout: block.Timeout})
	if err != nil {
		return nil, err
	}
	given := make(provider.Config, len(block.Config))
	for name, value := range block.Config {
		given[name] = value.Text
		if f, ok := p.Info().Config.Field(name); ok && value.Text == standIn("") {
			given[name] = standInAs(f)
		}
	}
	_, err = engine.Configure(ctx, p, block, given)
	return p, err
}

// hashOf returns the sha256 of a plugin's binary, in hex.
func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
