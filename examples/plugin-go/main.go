// Command acme is the plugin for pay-ins at Acme Pay. A router starts it; run by hand it describes itself, or serves
// its sandbox.
package main

import (
	"github.com/cauce-pay/cauce/examples/plugin-go/sandbox"
	"github.com/cauce-pay/cauce/provider/plugin"
)

func main() {
	plugin.Serve(plugin.Options{New: New, Sandbox: sandbox.New})
}
