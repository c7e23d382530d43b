package plugintest_test

import (
	"path/filepath"
	"testing"

	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin/plugintest"
)

func TestLaunch(t *testing.T) {
	p := plugintest.Launch(t, "testdata/echo", nil)
	if err := p.Configure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if p.Info().Name != "echo" {
		t.Errorf("info: %+v", p.Info())
	}
	if o, err := p.Submit(t.Context(), provider.Attempt{Key: "k"}); err != nil || o.Reference != "echo-k" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestBuild(t *testing.T) {
	var binaries []string
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			binaries = append(binaries, plugintest.Build(t, "testdata/echo"))
			plugintest.Launch(t, "testdata/echo", func(s *provider.Spec) { s.Name = name })
		})
	}
	if binaries[0] == binaries[1] || filepath.Base(binaries[0]) != "echo" {
		t.Errorf("every test has a binary of its own, named like the folder: %q", binaries)
	}
}
