package engine_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestMutants builds the engine deliberately wrong, as each file of testdata/mutants says, and demands that the
// simulation notices. A file holds pairs: the text that its -- file -- has once, and what it -- becomes --.
//
// Every file must fit the code; two are run, all of them with CAUCE_MUTANTS=all.
func TestMutants(t *testing.T) {
	t.Parallel()
	run := []string{"acknowledge_before_sync", "fail_over_on_timeout"}
	files, err := filepath.Glob("testdata/mutants/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no mutants: %v", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".txtar")
		t.Run(name, func(t *testing.T) {
			overlay := mutate(t, f)
			if !slices.Contains(run, name) && os.Getenv("CAUCE_MUTANTS") != "all" {
				return
			}
			// -trimpath shares what was built with the binaries; what is tested here is the test, so vet is not asked.
			cmd := exec.Command("go", "test", "-trimpath", "-vet=off", "-failfast", "-timeout", "100s", "-overlay", overlay, "-run", "^TestSimulation$", ".")
			cmd.Env = append(os.Environ(), "CAUCE_SEED=1", "CAUCE_SEEDS=30")
			out, err := cmd.CombinedOutput()
			switch {
			case err == nil:
				t.Error("the simulation does not notice it")
			case !strings.Contains(string(out), "repeat it with CAUCE_SEED="):
				t.Errorf("it failed otherwise: %v\n%s", err, out)
			}
		})
	}
}

// mutate writes a mutant's files, and the overlay with which the go command takes them for ours.
func mutate(t *testing.T, file string) (overlay string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir, changed := t.TempDir(), map[string]string{}
	for pair := range slices.Chunk(archive.Files, 2) {
		original, err := filepath.Abs(filepath.Join("..", pair[0].Name))
		if err != nil {
			t.Fatal(err)
		}
		source := original
		if again, ok := changed[original]; ok {
			source = again
		}
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		text := string(content)
		if n := strings.Count(text, string(pair[0].Data)); n != 1 {
			t.Fatalf("%s has the text to change %d times; write it anew\n%s", pair[0].Name, n, pair[0].Data)
		}
		mutant := filepath.Join(dir, filepath.Base(original))
		text = strings.Replace(text, string(pair[0].Data), string(pair[1].Data), 1)
		if err := os.WriteFile(mutant, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		changed[original] = mutant
	}
	content, err := json.Marshal(map[string]any{"Replace": changed})
	if err != nil {
		t.Fatal(err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}
