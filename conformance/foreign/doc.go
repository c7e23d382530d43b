// Package foreign simulates the five payment providers a second time, for tests: written from the providers' documents
// and the control protocol alone, by another reading than the simulators in plugins/*/sandbox. Where a document leaves
// several readings open it takes the less obvious one, so that a plugin which only gets on with its own simulator is
// found out. Each such choice stands in a comment with the section it is about.
//
// It shares no code with the plugins, their simulators or provider/sandbox: what they have wrong is not wrong here too.
//
//	sim := foreign.TpagaPSE()
//	server := httptest.NewServer(sim)
//	defer sim.Close()
//
// Credentials are [ClientID] and [ClientSecret], static tokens are [Token]. Amounts of providers whose documents leave the
// unit open are in cents.
package foreign
