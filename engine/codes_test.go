package engine_test

import (
	"testing"

	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/providertest"
)

func TestUnmappedCodes(t *testing.T) {
	t.Parallel()
	b := setup(t, one)
	b.providers["acme"].Script(
		providertest.Step{Err: &provider.Error{Code: provider.CodeUnknown, ProviderCode: "409 E77", Message: "a word of its own"}},
		providertest.Refuse(provider.CodeUnavailable), providertest.Lose(provider.Pending),
		providertest.Step{Err: &provider.Error{Code: provider.CodeUnknown, ProviderCode: "409 E77", Message: "the same again"}},
	)
	b.start(t)
	last := ""
	for _, key := range []string{"order-1", "order-2", "order-3", "order-4"} {
		last = b.pay(t, key).ID
	}
	check := func() {
		t.Helper()
		got := b.UnmappedCodes()
		if len(got) != 1 || got[0].Provider != "acme" || got[0].Call != "submit" || got[0].Code != "409 E77" || got[0].Message != "the same again" ||
			got[0].Count != 2 || got[0].Payment != last || !got[0].LastAt.Equal(b.clock.Now()) {
			t.Errorf("got %+v", got)
		}
	}
	check()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = b.crash(t).start(t)
	check()
}
