// Package payment holds the words that everything in Cauce is said in: money, the payment request and its
// validation, the payment and its attempts, their statuses and lawful transitions, events, decisions, and
// what a provider can take.
//
// It imports the standard library and shopspring/decimal only, so that plugins, stores, rules and the engine
// can all name the same things without pulling each other in.
package payment
