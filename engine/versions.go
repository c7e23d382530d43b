package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cauce-pay/cauce/engine/routing"
	"github.com/cauce-pay/cauce/engine/store"
)

// RulesVersion is that rules came into force.
type RulesVersion struct {
	Hash string    `json:"hash"`
	At   time.Time `json:"at"`
	By   string    `json:"by"` // see WithActor; "" = not known
}

// RulesText are rules as they were when they first came into force.
type RulesText struct {
	Hash string `json:"hash"`
	// Masked tells that a secret stood in them in clear and is not in the texts: they are good to read and to decide
	// by, but are not the rules that had this hash.
	Masked bool           `json:"masked"`
	Files  []routing.Text `json:"files"` // none where the secrets could not be told apart from the rest
}

// maxVersions bounds how many versions are listed. The texts of all that ever were in force are kept, as the payments
// are that they decided.
const maxVersions = 1000

const versionsSetting = "rules_versions"

func rulesSetting(hash string) string    { return "rules/" + hash }
func rulesFileSetting(sum string) string { return "rules_file/" + sum }

// storedRules is a RulesText in the store. Its files are settings of their own, so that rules that have a file in common
// keep it once.
type storedRules struct {
	Masked bool         `json:"masked,omitempty"`
	Files  []storedFile `json:"files"`
}

type storedFile struct {
	Name string `json:"name"`
	Sum  string `json:"sum"` // SHA-256 of what is kept, in hex
}

// RulesHistory returns which rules came into force, the newest first, at most the last thousand. A restart with the
// same rules is none.
func (e *Engine) RulesHistory(ctx context.Context) ([]RulesVersion, error) {
	versions, err := e.versions(ctx)
	slices.Reverse(versions)
	return versions, err
}

func (e *Engine) versions(ctx context.Context) (versions []RulesVersion, err error) {
	_, err = readSetting(ctx, e.store, versionsSetting, &versions)
	return versions, err
}

// RulesText returns the rules of a hash, whose decisions name it; ErrNotFound where none of it were ever in force.
func (e *Engine) RulesText(ctx context.Context, hash string) (RulesText, error) {
	var stored storedRules
	known, err := readSetting(ctx, e.store, rulesSetting(hash), &stored)
	if err == nil && !known {
		err = fmt.Errorf("%w: no rules %.64q were ever in force", ErrNotFound, hash)
	}
	if err != nil {
		return RulesText{}, err
	}
	text := RulesText{Hash: hash, Masked: stored.Masked, Files: []routing.Text{}}
	for _, f := range stored.Files {
		content, err := e.store.Setting(ctx, rulesFileSetting(f.Sum))
		if err != nil {
			return RulesText{}, fmt.Errorf("engine: rules %s: file %s: %w", hash, f.Name, err)
		}
		text.Files = append(text.Files, routing.Text{Name: f.Name, Content: string(content)})
	}
	return text, nil
}

// keepVersion notes that rules come into force, whose texts are kept.
func (e *Engine) keepVersion(ctx context.Context, s *state) error {
	versions, err := e.versions(ctx)
	if err != nil {
		return err
	}
	hash := s.rules.Hash()
	if n := len(versions); n > 0 && versions[n-1].Hash == hash {
		return nil
	}
	versions = append(versions, RulesVersion{Hash: hash, At: e.now(), By: actorOf(ctx)})
	return e.putSetting(ctx, versionsSetting, versions[max(0, len(versions)-maxVersions):])
}

// keepTexts keeps the texts of rules: without them their decisions could not be explained later.
func (e *Engine) keepTexts(ctx context.Context, s *state) error {
	if _, err := e.store.Setting(ctx, rulesSetting(s.rules.Hash())); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	texts, masked, err := s.rules.Texts(s.secretsInClear()...)
	if err != nil && !errors.Is(err, routing.ErrClear) {
		return err
	}
	stored := storedRules{Masked: masked, Files: []storedFile{}}
	for _, t := range texts {
		sum := sha256.Sum256([]byte(t.Content))
		f := storedFile{Name: t.Name, Sum: hex.EncodeToString(sum[:])}
		if err := e.store.PutSetting(ctx, rulesFileSetting(f.Sum), []byte(t.Content)); err != nil {
			return err
		}
		stored.Files = append(stored.Files, f)
	}
	return e.putSetting(ctx, rulesSetting(s.rules.Hash()), stored)
}

// secretsInClear are the values of secret attributes that are written out in the providers' configuration.
func (s *state) secretsInClear() (secrets []string) {
	for _, block := range s.rules.Providers() {
		for _, name := range inClear(block, s.providers[block.Name].info.Config) {
			secrets = append(secrets, block.Config[name].Text)
		}
	}
	return secrets
}
