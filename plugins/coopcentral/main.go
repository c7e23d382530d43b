// Command coopcentral is the plugin for interbank transfers through Coopcentral at Tpaga
// (https://interbanks.docs.tpaga.co). A router starts it; run by hand it describes itself, or serves its sandbox.
package main

import (
	"github.com/cauce-pay/cauce/plugins/coopcentral/sandbox"
	"github.com/cauce-pay/cauce/provider/plugin"
)

func main() {
	plugin.Serve(plugin.Options{New: New, Sandbox: sandbox.New})
}
