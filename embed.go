// Package cauce holds the rules that Cauce ships.
package cauce

import _ "embed"

// Routing is routing.hcl, the example that `router dev` runs by.
//
//go:embed routing.hcl
var Routing []byte
