package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cauce-pay/cauce/provider"
)

func TestFind(t *testing.T) {
	t.Parallel()
	first, second := t.TempDir(), t.TempDir()
	write := func(path string, mode os.FileMode) string {
		if err := os.WriteFile(path, []byte("#!/bin/true\n"), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	both := write(filepath.Join(first, "both"), 0o755)
	write(filepath.Join(second, "both"), 0o755)
	late := write(filepath.Join(second, "late"), 0o755)
	plain := write(filepath.Join(first, "plain"), 0o644)
	l := Dir(first, second)

	for name, c := range map[string]struct{ plugin, want, wantErr string }{
		"in the first directory":    {"both", both, ""},
		"in a later directory":      {"late", late, ""},
		"a path is taken as it is":  {late, late, ""},
		"in none":                   {"none", "", `"none" is not in ` + first + ", " + second},
		"no such path":              {first + "/none", "", "no such file"},
		"not executable":            {"plain", "", plain + " is not executable (mode -rw-r--r--)"},
		"a directory":               {first, "", "is a directory"},
		"no name":                   {"", "", "no plugin is named"},
		"a name never leaves a dir": {"../both", "", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := l.Find(c.plugin)
			if got != c.want || (err == nil) != (c.wantErr == "") || err != nil && !strings.Contains(err.Error(), c.wantErr) {
				t.Errorf("Find(%q) = %q, %v; want %q, %q", c.plugin, got, err, c.want, c.wantErr)
			}
		})
	}
	if _, err := Dir().Find("both"); err == nil || !strings.Contains(err.Error(), "no directory of plugins is known") {
		t.Errorf("without directories: %v", err)
	}
}

// TestLaunchFails starts everything that is no plugin: the error says what a person must know, and nothing is
// left behind.
func TestLaunchFails(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "script")
	foreign := filepath.Join(t.TempDir(), "foreign")
	text := filepath.Join(t.TempDir(), "text")
	for path, content := range map[string]string{
		script:  "#!/no/such/interpreter\n",
		foreign: "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\xf3\x00\x01\x00\x00\x00" + strings.Repeat("\x00", 40),
		text:    "just text",
	} {
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		path    string
		timeout time.Duration // of those that would wait for it
		want    []string
	}{
		"never says a word":          {role(t, "silent"), 100 * time.Millisecond, []string{"no handshake line in time", "plugin.Serve"}},
		"never answers":              {role(t, "mute"), 2 * time.Second, []string{"did not answer in time"}},
		"ends at once":               {role(t, "exits"), 0, []string{"ended before its handshake line: exit status 3", `cannot find the moon\x1b[31m`}},
		"says something else":        {role(t, "chatty"), 0, []string{"is no handshake", "Hello, I am a program"}},
		"a line of 10 MB":            {role(t, "endless"), 0, []string{"is no handshake", "xxx"}},
		"another protocol version":   {role(t, "newer"), 0, []string{"speaks version 7", "this program version 1"}},
		"listens on another machine": {role(t, "elsewhere"), 0, []string{"192.0.2.1:80", "loopback"}},
		"answers without an info":    {role(t, "noinfo"), 0, []string{"answer to info makes no sense"}},
		"interpreter missing":        {script, 0, []string{"no such file", "a script for /no/such/interpreter"}},
		"another architecture":       {foreign, 0, []string{"exec format error", "EM_RISCV", runtime.GOARCH}},
		"no program":                 {text, 0, []string{"exec format error", "no ELF binary and no script", "-rwxr-xr-x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := (&Launcher{StartTimeout: c.timeout}).Launch(t.Context(), provider.Spec{Name: "p", Plugin: c.path})
			if err == nil {
				t.Fatal("it started")
			}
			for _, want := range append(c.want, c.path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %q", err, want)
				}
			}
		})
	}
}

func TestLaunchIsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := Dir().Launch(ctx, provider.Spec{Name: "p", Plugin: role(t, "silent")})
	if err == nil {
		t.Fatal("it started")
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := Dir().Launch(ctx, provider.Spec{Name: "p", Plugin: role(t, "good")}); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

func TestPinnedBinary(t *testing.T) {
	t.Parallel()
	path := role(t, "good")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	sum, wrong := hex.EncodeToString(h.Sum(nil)), strings.Repeat("0", 64)

	_, err = Dir().Launch(t.Context(), provider.Spec{Name: "p", Plugin: path, SHA256: wrong})
	if err == nil || !strings.Contains(err.Error(), sum) || !strings.Contains(err.Error(), wrong) {
		t.Errorf("the wrong sum: %v", err)
	}
	p, err := Dir().Launch(t.Context(), provider.Spec{Name: "p", Plugin: path, SHA256: strings.ToUpper(sum)})
	if err != nil {
		t.Fatal(err)
	}
	defer closeProvider(t, p)
	// The second start is checked as well as the first.
	first := processOf(p)
	_ = first.Kill(t.Context())
	eventually(t, "the pinned plugin is started again", func() bool { return running(p, first) })
}

func TestEnvironment(t *testing.T) {
	t.Setenv("CAUCE_TEST_SECRET", "of the host")
	t.Setenv("CAUCE_TEST_NAMED", "for the plugin")
	p := launch(t, "good", &Launcher{Env: []string{"CAUCE_TEST_NAMED", "CAUCE_TEST_ABSENT"}}, nil)
	o, err := p.Lookup(t.Context(), provider.Query{Reference: "PLUGIN_UNIX_SOCKET_DIR"})
	if err != nil {
		t.Fatal(err)
	}
	const want = "CAUCE_PLUGIN CAUCE_TEST_NAMED PLUGIN_CLIENT_CERT PLUGIN_MAX_PORT PLUGIN_MIN_PORT PLUGIN_PROTOCOL_VERSIONS PLUGIN_UNIX_SOCKET_DIR"
	if o.Message != want {
		t.Errorf("the plugin's environment has\n%s, want\n%s", o.Message, want)
	}
	if _, err := os.Stat(o.Reference); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket's directory %q is left: %v", o.Reference, err)
	}
}
