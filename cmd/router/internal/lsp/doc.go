// Package lsp is a language server for routing.hcl and *_test.hcl: diagnostics, completion, hover, definitions, symbols,
// formatting and quick fixes, over the Language Server Protocol 3.17 on a pair of streams.
//
// What it knows of the language it takes from package routing: the faults that Load finds, the tables that the loader
// checks by, and Format. It never shows what env() and file() read.
package lsp
