// Package routing reads routing.hcl and decides by it: which route a payment matches, which of the route's
// providers may take it, in what order, and why.
//
// Load parses, checks and compiles the rules; every mistake is a Diagnostic with its place in the file, inside
// the text of a condition too. The Rules that it returns never change. Rules.Decide is a pure function of the
// payment, the rules and the Facts that it is handed: it reads no clock, no environment and no network, so that a
// stored decision can be made again. Rules.Explain makes the same decision and says of every route why it did or
// did not match.
//
// A condition is an expr-lang expression over the payment's fields (payment.Fields), metadata.KEY, local.NAME
// and now. It is checked by this package's own types before expr compiles it, because expr knows neither money
// nor which fields a payment may leave out.
package routing
