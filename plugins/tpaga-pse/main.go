// Command tpaga-pse is the plugin for PSE charges at Tpaga (https://api-pse.docs.tpaga.co). A router starts it;
// run by hand it describes itself, or serves its sandbox.
package main

import (
	"github.com/cauce-pay/cauce/plugins/tpaga-pse/sandbox"
	"github.com/cauce-pay/cauce/provider/plugin"
)

func main() {
	plugin.Serve(plugin.Options{New: New, Sandbox: sandbox.New})
}
