// Package engine is the payment router as a library: it decides by rules which provider gets a payment, hands
// it over exactly once, follows it to its end, and records all of it.
//
// The story in order: New builds the rules, starts the providers and goes on with every payment that an
// earlier process left unfinished. Pay makes one payment. Get, List and Events tell what became of it. Close
// stops taking payments, lets calls under way end, and stops the providers.
//
// The engine listens nowhere, logs only to the logger it is given, and never ends the process.
package engine
