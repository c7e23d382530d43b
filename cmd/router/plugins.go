package main

import (
	"os"
	"path/filepath"

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
