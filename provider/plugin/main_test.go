package plugin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cauce-pay/cauce/payment"
	"github.com/cauce-pay/cauce/provider"
	pb "github.com/cauce-pay/cauce/provider/plugin/proto/v1"
)

// The test binary is every plugin of these tests: started under a role's name (a link to it) it plays the role.
func TestMain(m *testing.M) {
	if role, ok := roles[filepath.Base(os.Args[0])]; ok {
		role()
		os.Exit(0)
	}
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // for what is run by hand: it would wait a second at its end
	goleak.VerifyTestMain(m)
}

var roles = map[string]func(){
	"good":   func() { Serve(Options{New: newScripted, Sandbox: scriptedSandbox}) },
	"plain":  func() { Serve(Options{New: newScripted}) },
	"silent": func() { select {} },
	"exits": func() {
		fmt.Fprint(os.Stderr, "cannot find the moon\x1b[31m") // no end of line
		os.Exit(3)
	},
	"chatty": func() {
		fmt.Println("Hello, I am a program and no plugin")
		select {}
	},
	"endless": func() { // 10 MB without an end of line
		_, _ = os.Stdout.Write(bytes.Repeat([]byte("x"), 10<<20))
		select {}
	},
	"newer": func() {
		h := handshake
		h.ProtocolVersion = 7
		goplugin.Serve(&goplugin.ServeConfig{HandshakeConfig: h, Plugins: goplugin.PluginSet{pluginName: &stranger{}}, GRPCServer: goplugin.DefaultGRPCServer})
	},
	"elsewhere": func() {
		fmt.Println("1|1|tcp|192.0.2.1:80|grpc|")
		select {}
	},
	"mute":     func() { serveStranger(func(pb.Provider_ExchangeServer) error { select {} }) },
	"huge":     func() { serveStranger(answerHuge) },
	"talker":   func() { serveStranger(answerPersonal) },
	"noinfo":   func() { serveStranger(answerNothing) },
	"both":     serveBoth,
	"handmade": playHandmade,
	"host":     playHost,
	"lonely":   playLonely,
	"launcher": playLauncher,
}

// stranger is a plugin that was not made with Serve.
type stranger struct {
	goplugin.NetRPCUnsupportedPlugin
	pb.UnimplementedProviderServer
	exchange func(pb.Provider_ExchangeServer) error
}

func (s *stranger) Exchange(stream pb.Provider_ExchangeServer) error { return s.exchange(stream) }

func (s *stranger) GRPCServer(_ *goplugin.GRPCBroker, r *grpc.Server) error {
	pb.RegisterProviderServer(r, s)
	return nil
}

func (s *stranger) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("no client")
}

func serveStranger(exchange func(pb.Provider_ExchangeServer) error) {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         goplugin.PluginSet{pluginName: &stranger{exchange: exchange}},
		GRPCServer:      goplugin.DefaultGRPCServer,
	})
}

func answerNothing(stream pb.Provider_ExchangeServer) error {
	for {
		call, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.Answer{Id: call.GetId()}); err != nil {
			return err
		}
	}
}

// answerPersonal introduces itself, and then puts personal data where none is expected: in the status of an outcome, and in
// the error that ends the stream, where a plugin in another language has its exceptions.
func answerPersonal(stream pb.Provider_ExchangeServer) error {
	for {
		call, err := stream.Recv()
		if err != nil {
			return err
		}
		info := &pb.Info{Name: "talker", Version: "1", Capabilities: []*pb.Capability{{Operation: "payin", Method: "pse", Currencies: []string{"COP"}}}}
		a := &pb.Answer{Id: call.GetId(), Result: &pb.Answer_Info{Info: info}}
		switch {
		case call.GetConfigure() != nil:
			a.Result = &pb.Answer_Configure{Configure: info}
		case call.GetSubmit().GetPayment().GetDescription() == "raise":
			return status.Error(codes.Unknown, "Exception calling application: CC 1020304050 of demo@demo.com")
		case call.GetSubmit() != nil:
			a.Result = &pb.Answer_Submit{Submit: &pb.Outcome{Status: "CC 1020304050 of demo@demo.com"}}
		}
		if err := stream.Send(a); err != nil {
			return err
		}
	}
}

// answerHuge introduces itself and then answers everything by 100 MiB.
func answerHuge(stream pb.Provider_ExchangeServer) error {
	for {
		call, err := stream.Recv()
		if err != nil {
			return err
		}
		info := &pb.Info{Name: "huge", Version: "1", Capabilities: []*pb.Capability{{Operation: "payin", Method: "pse", Currencies: []string{"COP"}}}}
		a := &pb.Answer{Id: call.GetId(), Result: &pb.Answer_Info{Info: info}}
		switch {
		case call.GetConfigure() != nil:
			a.Result = &pb.Answer_Configure{Configure: info}
		case call.GetSubmit() != nil:
			a.Result = &pb.Answer_Submit{Submit: &pb.Outcome{Status: "succeeded", Message: strings.Repeat("x", 100<<20)}}
		}
		if err := stream.Send(a); err != nil {
			return err
		}
	}
}

// go-plugin puts pipes in the place of os.Stdout and os.Stderr; these are the process's own.
var realStdout, realStderr = os.Stdout, os.Stderr

// scripted is a provider that does what an attempt's description tells it to.
type scripted struct {
	mu     sync.Mutex
	config provider.Config
}

func newScripted() provider.Provider { return &scripted{} }

func (s *scripted) Info() provider.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	version := "1.2.3"
	if b, err := os.ReadFile(os.Args[0] + ".version"); err == nil {
		version = string(b)
	}
	info := provider.Info{
		Name: "scripted", Version: version,
		Capabilities: []payment.Capability{{
			Operation: payment.PayIn, Method: payment.PSE, Currencies: []string{"COP"}, AmountMax: payment.Pesos(100),
		}},
		Config: provider.Schema{
			{Name: "token", Type: provider.String, Required: true, Secret: true, Doc: "the token"},
			{Name: "max", Type: provider.Amount, Doc: "the largest amount"},
		},
	}
	if _, ok := s.config["max"]; ok {
		info.Capabilities[0].AmountMax = s.config.Money("max")
	}
	return info
}

func (s *scripted) Configure(_ context.Context, c provider.Config) error {
	resolved, err := s.Info().Config.Resolve(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config = resolved
	return nil
}

func (s *scripted) Check(context.Context) error { return nil }

// Lookup tells the names of the environment's variables, and the value of the one that the reference names.
func (s *scripted) Lookup(_ context.Context, q provider.Query) (provider.Outcome, error) {
	var names []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	return provider.Outcome{Status: provider.Absent, Key: q.Key, Reference: os.Getenv(q.Reference), Message: strings.Join(names, " ")}, nil
}

func (s *scripted) Close(ctx context.Context) error {
	s.mu.Lock()
	hang := s.config["token"] == "hang-at-close"
	s.mu.Unlock()
	if hang {
		select {}
	}
	return nil
}

func (s *scripted) Submit(ctx context.Context, a provider.Attempt) (provider.Outcome, error) {
	do, argument, _ := strings.Cut(a.Payment.Description, " ")
	switch do {
	case "hang":
		touch(argument)
		select {}
	case "wait":
		<-ctx.Done()
		return provider.Outcome{}, ctx.Err()
	case "panic":
		panic("the payer's document is 1020304050")
	case "leak":
		return provider.Outcome{}, provider.Errorf(provider.CodeDeclined, "token %s of demo@demo.com, account 68653284571", s.config["token"])
	case "exit":
		fmt.Fprintln(os.Stderr, "leaving")
		os.Exit(4)
	case "say":
		fmt.Fprintln(realStderr, argument)
	case "print":
		fmt.Println(argument)
		fmt.Fprintln(os.Stderr, argument)
	case "babble":
		line := bytes.Repeat([]byte("x"), 10<<20)
		_, _ = realStdout.Write(line)
		_, _ = realStderr.Write(line)
	case "flood":
		for i := range 20_000 {
			fmt.Fprintf(realStderr, "line %d\n", i)
		}
	case "log":
		slog.Warn("logged", "token", s.config["token"], "n", 7)
	case "fork": // a child that holds the pipes to the host
		child := &exec.Cmd{Path: os.Args[0], Args: []string{"silent"}, Stdout: realStdout, Stderr: realStderr}
		if err := child.Start(); err != nil {
			return provider.Outcome{}, err
		}
		if argument == "exit" {
			fmt.Fprintf(realStderr, "child=%d\n", child.Process.Pid)
			os.Exit(0)
		}
		return provider.Outcome{Status: provider.Pending, Reference: fmt.Sprint(child.Process.Pid)}, nil
	}
	return provider.Outcome{Status: provider.Pending, Key: a.Key, Reference: fmt.Sprint(os.Getpid()), Amount: a.Payment.Amount, Currency: "COP"}, nil
}

func touch(path string) {
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		panic(err)
	}
}

func scriptedSandbox(state string) (http.Handler, error) {
	if state == "/bad" {
		return nil, errors.New("cannot read /bad")
	}
	return &sandbox{state: state}, nil
}

type sandbox struct{ state string }

func (s *sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ledger") }
func (s *sandbox) Close() error {
	if s.state == "" {
		return nil
	}
	return os.WriteFile(s.state, []byte("closed"), 0o600)
}

// playHost launches the plugin good beside itself, prints its process id and waits to be killed.
func playHost() {
	p, err := Dir(filepath.Dir(os.Args[0])).Launch(context.Background(), provider.Spec{Name: "p", Plugin: "good"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(processOf(p).ID())
	select {}
}

// playLonely says that it runs and ends when its parent has.
func playLonely() {
	parent := os.Getppid()
	fmt.Println("ready")
	awaitOrphanhood(parent, 10*time.Millisecond)
}

// playLauncher runs the program beside itself that its arguments name, until its first line; prints its process
// id and ends before it.
func playLauncher() {
	child := exec.Command(filepath.Join(filepath.Dir(os.Args[0]), os.Args[1]), os.Args[2:]...)
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = bufio.NewReader(out).ReadString('\n')
	fmt.Println(child.Process.Pid)
}

// role returns the path of a program that plays role.
func role(t testing.TB, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// captured is a logger's text.
type captured struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *captured) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *captured) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

func (c *captured) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(c, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// launch starts a plugin that plays role, configured, and closes it at the test's end.
func launch(t testing.TB, name string, l *Launcher, log *captured) *remote {
	t.Helper()
	spec := provider.Spec{Name: "p", Plugin: role(t, name)}
	if log != nil {
		spec.Logger = log.logger()
	}
	p, err := l.Launch(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeProvider(t, p) })
	if err := p.Configure(context.Background(), provider.Config{"token": "s3cr3t-token"}); err != nil {
		t.Fatal(err)
	}
	return p.(*remote)
}

func closeProvider(t testing.TB, p provider.Provider) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = p.Close(ctx)
}

func attempt(do string) provider.Attempt {
	return provider.Attempt{
		Key: "0123456789abcdefghij", Number: 1,
		Payment: payment.Request{Operation: payment.PayIn, Method: payment.PSE, Amount: payment.Pesos(10), Description: do},
	}
}

// submit makes one call that is bounded by timeout.
func submit(p provider.Provider, do string, timeout time.Duration) (provider.Outcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return p.Submit(ctx, attempt(do))
}

// eventually polls until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(15 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// processOf returns the process that p runs as; nil while there is none.
func processOf(p provider.Provider) *process {
	r := p.(*remote)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil {
		return nil
	}
	return r.current.process
}

// running reports whether p runs as another process than before.
func running(p provider.Provider, before *process) bool {
	now := processOf(p)
	return now != nil && now != before
}

func wantCode(t testing.TB, err error, want provider.Code) {
	t.Helper()
	if got := provider.CodeOf(err); got != want {
		t.Errorf("code %q (%v), want %q", got, err, want)
	}
}
