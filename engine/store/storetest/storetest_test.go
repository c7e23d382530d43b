package storetest_test

import (
	"testing"

	"github.com/cauce-pay/cauce/engine/store"
	"github.com/cauce-pay/cauce/engine/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Subject{Open: func() (store.Store, error) { return storetest.NewMemory(), nil }})
}
