package examples_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cauce-pay/cauce/examples"
)

// Every Go excerpt of docs/plugins.md is a part of the example, word by word.
func TestExcerpts(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "plugins.md"))
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	err = fs.WalkDir(examples.Plugins, "plugin-go", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		content, err := fs.ReadFile(examples.Plugins, path)
		source.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	excerpts := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(excerpts) == 0 {
		t.Fatal("there are none")
	}
	for _, e := range excerpts {
		if !strings.Contains(source.String(), e[1]) {
			t.Errorf("examples/plugin-go has no\n%s", e[1])
		}
	}
}
