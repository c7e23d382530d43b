// Package examples holds one provider twice: a plugin in Go with its sandbox, and the same plugin in JavaScript. `router
// plugin new` starts a new plugin from one of them.
package examples

import "embed"

// Plugins are the examples' sources, in plugin-go and plugin-node.
//
//go:embed plugin-go plugin-node
var Plugins embed.FS
