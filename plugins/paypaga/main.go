// Command paypaga is the plugin for PSE pay-ins at PayPaga in Colombia (API V2). A router starts it; run by hand it
// describes itself, or serves its sandbox.
package main

import (
	"github.com/cauce-pay/cauce/plugins/paypaga/sandbox"
	"github.com/cauce-pay/cauce/provider/plugin"
)

func main() {
	plugin.Serve(plugin.Options{New: New, Sandbox: sandbox.New})
}
