package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cauce-pay/cauce/engine"
	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/provider"
)

// simulators stand in for the providers that a set of rules names.
type simulators struct {
	list    []*simulator
	blocks  []standInFor
	answers map[string]string // of env() in the rules
}

// standInFor is a provider block and its simulator.
type standInFor struct {
	label     string
	simulator *simulator
}

// startSimulators starts the simulator of every plugin that the rules name. Their state is kept in data, and so
// are their ports, so that the address of a bank's page outlives a restart. What is returned is to be stopped,
// also with an error.
func startSimulators(ctx context.Context, launcher provider.Launcher, rulesPath, data string, log *slog.Logger) (*simulators, error) {
	all := &simulators{answers: map[string]string{}}
	rules, diagnostics := loadWithoutSecrets(rulesPath)
	if rules == nil {
		return all, diagnostics
	}
	ports, err := readPorts(data)
	if err != nil {
		return all, err
	}
	for _, block := range rules.Providers() {
		if err := all.add(ctx, launcher, block, data, ports, log); err != nil {
			return all, fmt.Errorf("the simulator of provider %q: %w", block.Name, err)
		}
	}
	if err := writePorts(data, ports); err != nil {
		return all, err
	}
	return all, all.refuseOthers(rulesPath)
}

// add starts the simulator of a block's plugin, unless it runs already.
func (all *simulators) add(ctx context.Context, launcher provider.Launcher, block routing.Provider, data string, ports map[string]int, log *slog.Logger) error {
	name := filepath.Base(block.Plugin)
	i := slices.IndexFunc(all.list, func(s *simulator) bool { return s.plugin == name })
	if i >= 0 {
		all.blocks = append(all.blocks, standInFor{block.Name, all.list[i]})
		return nil
	}
	info, err := infoFrom(ctx, launcher, block)
	if info.Name == "" { // else it only refuses its stand-in for a configuration
		return err
	}
	binary, err := plugins().Find(block.Plugin)
	if err != nil {
		return err
	}
	s, err := startSimulator(ctx, name, binary, filepath.Join(data, name), ports[name], log)
	if err != nil {
		return err
	}
	ports[name] = s.port
	all.list = append(all.list, s)
	all.blocks = append(all.blocks, standInFor{block.Name, s})
	all.answer(info.Config, s)
	return nil
}

// variable is what an attribute of a plugin is called in the environment: TPAGA_PSE_CLIENT_ID.
func variable(plugin, attribute string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(plugin + "_" + attribute))
}

// answer lays down what env() gives for a plugin's attributes.
func (all *simulators) answer(schema provider.Schema, s *simulator) {
	for _, f := range schema {
		name := variable(s.plugin, f.Name)
		switch {
		case f.Name == "base_url":
			all.answers[name] = s.url
		case len(f.OneOf) > 0:
			all.answers[name] = f.OneOf[0]
		case f.Required || f.Secret:
			all.answers[name] = "simulated"
		}
	}
}

// env answers env() in the rules: as the simulators want it, else from the environment.
func (all *simulators) env(name string) (string, bool) {
	if value, ok := all.answers[name]; ok {
		return value, true
	}
	return os.LookupEnv(name)
}

// writeEnv writes a file that gives a shell the same answers, and the router's address: what the commands say of the
// rules there is then what this router does.
func (all *simulators) writeEnv(path, api string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "export CAUCE_SERVER='%s'\n", api)
	for _, name := range slices.Sorted(maps.Keys(all.answers)) {
		fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(all.answers[name], "'", `'\''`))
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

// refuseOthers refuses rules under which a payment would reach somebody else than its simulator.
func (all *simulators) refuseOthers(rulesPath string) error {
	rules, diagnostics := routing.Load(rulesPath, &routing.Options{Env: all.env})
	if rules == nil {
		return diagnostics
	}
	var found routing.Diagnostics
	for i, block := range rules.Providers() {
		s := all.blocks[i].simulator
		if u, err := url.Parse(block.Config["base_url"].Text); err != nil || u.Scheme+"://"+u.Host != s.url {
			found = append(found, block.ConfigDiagnostic("base_url", "This would call a real provider",
				fmt.Sprintf("router dev only calls simulators: write base_url = env(%q).", variable(s.plugin, "base_url"))))
		}
	}
	if len(found) > 0 {
		return found
	}
	return nil
}

// sendWebhooks tells the simulators where the engine takes their webhooks.
func (all *simulators) sendWebhooks(ctx context.Context, e *engine.Engine) error {
	for _, b := range all.blocks {
		address := e.NotificationURL(b.label)
		if address == "" {
			continue
		}
		body, err := json.Marshal(map[string]string{"url": address})
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.simulator.url+"/_sandbox/webhook", bytes.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("the simulator of %s answers %s when it is told where webhooks go", b.simulator.plugin, resp.Status)
		}
	}
	return nil
}

// stop ends all simulators.
func (all *simulators) stop() error {
	errs := make([]error, len(all.list))
	for i, s := range all.list {
		errs[i] = s.stop()
	}
	return errors.Join(errs...)
}

func portsFile(data string) string { return filepath.Join(data, "ports.json") }

func readPorts(data string) (map[string]int, error) {
	ports := map[string]int{}
	content, err := os.ReadFile(portsFile(data))
	if errors.Is(err, fs.ErrNotExist) {
		return ports, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &ports)
	}
	if err != nil {
		return nil, fmt.Errorf("the simulators' ports cannot be read from %s: %w; remove it to choose new ones", portsFile(data), err)
	}
	return ports, nil
}

// writePorts replaces the file as a whole, so that a kill leaves the old one or the new one.
func writePorts(data string, ports map[string]int) error {
	content, err := json.Marshal(ports)
	if err != nil {
		return err
	}
	next := portsFile(data) + ".new"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return err
	}
	return os.Rename(next, portsFile(data))
}
