package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/provider"
)

// UnmappedCode is a code of a provider that its plugin has no clear meaning for: whatever was asked is in doubt by it.
type UnmappedCode struct {
	Provider string    `json:"provider"`
	Call     string    `json:"call"`    // submit or lookup
	Code     string    `json:"code"`    // the provider's own, or its HTTP status
	Message  string    `json:"message"` // the plugin's, about the last of them
	Count    int64     `json:"count"`
	LastAt   time.Time `json:"last_at"`
	Payment  string    `json:"payment"` // the last one that met it
}

const (
	codesSetting   = "unmapped_codes"
	maxCodes       = 1000 // beyond it the one that was not met for the longest time is forgotten
	maxCodeText    = 100
	maxCodeMessage = 300
)

// codes are the unmapped codes, by provider, call and code.
type codes struct {
	mu    sync.Mutex
	met   map[[3]string]*UnmappedCode
	dirty bool
}

// UnmappedCodes returns the providers' codes that were met and that nobody has given a meaning, the latest first. They
// are kept in the store every half minute: what a crash takes away is not counted.
func (e *Engine) UnmappedCodes() []UnmappedCode {
	e.codes.mu.Lock()
	defer e.codes.mu.Unlock()
	return e.codes.list()
}

func (c *codes) list() []UnmappedCode {
	list := make([]UnmappedCode, 0, len(c.met))
	for _, u := range c.met {
		list = append(list, *u)
	}
	slices.SortFunc(list, func(a, b UnmappedCode) int {
		return cmp.Or(b.LastAt.Compare(a.LastAt), strings.Compare(a.Provider+a.Call+a.Code, b.Provider+b.Call+b.Code))
	})
	return list
}

// noteCode takes notice of an answer whose code the plugin does not know.
func (e *Engine) noteCode(providerName, call, id string, err *provider.Error) {
	if err == nil || err.Code != provider.CodeUnknown || err.ProviderCode == "" {
		return
	}
	code := cut(err.ProviderCode, maxCodeText)
	e.codes.mu.Lock()
	defer e.codes.mu.Unlock()
	u := e.codes.met[[3]string{providerName, call, code}]
	if u == nil {
		u = &UnmappedCode{Provider: providerName, Call: call, Code: code}
		e.codes.put(u)
	}
	u.Message, u.Payment, u.LastAt = cut(err.Message, maxCodeMessage), id, e.now()
	u.Count++
	e.codes.dirty = true
}

func cut(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }

func (c *codes) put(u *UnmappedCode) {
	if c.met == nil {
		c.met = map[[3]string]*UnmappedCode{}
	}
	if len(c.met) >= maxCodes {
		list := c.list()
		oldest := list[len(list)-1]
		delete(c.met, [3]string{oldest.Provider, oldest.Call, oldest.Code})
	}
	c.met[[3]string{u.Provider, u.Call, u.Code}] = u
}

// loadCodes reads what was kept.
func (e *Engine) loadCodes(ctx context.Context) error {
	var list []UnmappedCode
	if _, err := readSetting(ctx, e.store, codesSetting, &list); err != nil {
		return fmt.Errorf("engine: the providers' codes that were met could not be read: %w", err)
	}
	for _, u := range list {
		e.codes.put(&u)
	}
	return nil
}

// keepCodes writes them down, if there is anything new.
func (e *Engine) keepCodes(ctx context.Context) {
	e.codes.mu.Lock()
	list, dirty := e.codes.list(), e.codes.dirty
	e.codes.dirty = false
	e.codes.mu.Unlock()
	if !dirty {
		return
	}
	if err := e.putSetting(ctx, codesSetting, list); err != nil {
		e.log.Warn("the providers' codes that were met could not be kept", "error", err)
		e.codes.mu.Lock()
		e.codes.dirty = true
		e.codes.mu.Unlock()
	}
}
