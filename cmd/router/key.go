package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
)

func newKeyNewCmd() command {
	return command{
		name: "key new", summary: "make an API key, and what routing.hcl needs of it", example: "  router key new",
		setup: func(*flag.FlagSet) action { return newKey },
	}
}

// newKey prints a key of 256 random bits. Only its hash stands in the rules, so that who reads them gets no key.
func newKey(_ context.Context, s streams, _ []string) error {
	random := make([]byte, 32)
	rand.Read(random)
	key := "cauce_" + hex.EncodeToString(random)
	sum := sha256.Sum256([]byte(key))
	fmt.Fprintf(s.out, `key     %s
sha256  %s

The key is for the caller and is shown only here: Authorization: Bearer KEY
The hash is for routing.hcl:

api_key "shop" {
  sha256 = "%s"
  scopes = ["payments"] # payments, read, admin
}
`, key, hex.EncodeToString(sum[:]), hex.EncodeToString(sum[:]))
	return nil
}
