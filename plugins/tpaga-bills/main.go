// Command tpaga-bills is the plugin for bill payments at Tpaga (https://api-bill-payments.docs.tpaga.co). A router
// starts it; run by hand it describes itself, or serves its sandbox.
package main

import (
	"github.com/cauce-pay/cauce/plugins/tpaga-bills/sandbox"
	"github.com/cauce-pay/cauce/provider/plugin"
)

func main() {
	plugin.Serve(plugin.Options{New: New, Sandbox: sandbox.New})
}
