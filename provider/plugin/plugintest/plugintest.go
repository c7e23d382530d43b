// Package plugintest puts a provider behind the wire inside a test: in the test's own process (Serve), or built
// from its folder and started as a real plugin (Launch).
package plugintest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/cauce-pay/cauce/provider"
	"github.com/cauce-pay/cauce/provider/plugin"
	"github.com/cauce-pay/cauce/provider/plugin/internal/wire"
)

// Serve returns p as a host sees it: every call crosses the wire, with its conversions and caps, but no process
// boundary. The caller configures and closes it like any provider.
func Serve(t testing.TB, p provider.Provider) provider.Provider {
	t.Helper()
	listener := bufconn.Listen(wire.MaxMessage)
	server := grpc.NewServer(wire.ServerOptions()...)
	wire.NewServer(p, nil).Register(server)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	conn, err := grpc.NewClient("passthrough:///plugin", append(wire.DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))...)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	client, err := wire.Open(ctx, conn, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		_ = conn.Close()
		server.Stop()
		<-served
	})
	info, err := wire.Describe(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	return wire.NewProvider(client, info)
}

// Launch builds the plugin in folder dir and starts it as a process; its log lines go to the test's. It is
// closed at the test's end. Change what spec says by change, which may be nil.
func Launch(t testing.TB, dir string, change func(*provider.Spec)) provider.Provider {
	t.Helper()
	binary := Build(t, dir)
	spec := provider.Spec{
		Name: filepath.Base(binary), Plugin: binary,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&spec)
	}
	p, err := plugin.Dir().Launch(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = p.Close(ctx)
	})
	return p
}

// built holds each folder's binary: a test binary links it once.
var built sync.Map // string -> func() ([]byte, error)

// Build builds the plugin in folder dir and returns the path of its binary, in a directory of the test's own
// and named like the folder.
func Build(t testing.TB, dir string) string {
	t.Helper()
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	once, _ := built.LoadOrStore(dir, sync.OnceValues(func() ([]byte, error) { return build(t, dir) }))
	binary, err := once.(func() ([]byte, error))()
	if err != nil {
		t.Fatalf("building the plugin in %s: %v", dir, err)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(dir))
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	// While the file is open for writing no process may be forked: it would inherit the file, and a file that
	// somebody may write cannot be run.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func build(t testing.TB, dir string) ([]byte, error) {
	path := filepath.Join(t.TempDir(), "built")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return os.ReadFile(path)
}
