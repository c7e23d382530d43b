// Package conformance says whether a provider keeps the contract of package provider: a list of checks, each with
// a stable id and a sentence that says what is owed.
//
// What a provider declares in Info decides what is demanded of it; no check can be skipped. What was really
// executed is read from the ledger of a sandbox that speaks the control protocol of provider/sandbox, over HTTP:
// any sandbox serves, not only ours.
//
//	conformancetest.Run(t, conformance.Config{Open: open, Sandbox: "http://127.0.0.1:4020"})
//
// Suite.Report runs the same list outside go test, as `router conformance` does. The checks of one suite, and all
// suites that share a sandbox, run one after the other: each empties the sandbox first.
package conformance
