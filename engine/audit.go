package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cauce-pay/cauce/engine/store"
)

// AuditAct names what an administrator did.
type AuditAct string

// The acts.
const (
	ActReload  AuditAct = "reload"  // other rules into force: Before and After are their hashes
	ActPause   AuditAct = "pause"   // of the provider Subject, with its reason as Note
	ActResume  AuditAct = "resume"  // of the provider Subject
	ActResolve AuditAct = "resolve" // of the payment Subject to the status After, with its note
)

// AuditEntry is one act of an administrator. It is durable before the act is done: where it cannot be written, the act
// does not happen. Each entry holds the hash of the one before it, so that none can be changed, taken away or moved
// without notice.
type AuditEntry struct {
	Seq     int64     `json:"seq"` // from 1, without gaps
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"` // of WithActor; may be empty
	Act     AuditAct  `json:"act"`
	Subject string    `json:"subject,omitzero"`
	Before  string    `json:"before,omitzero"`
	After   string    `json:"after,omitzero"`
	Note    string    `json:"note,omitzero"`
	// Failed says why the act, which an entry before announced, was not done after all.
	Failed   string `json:"failed,omitzero"`
	Previous string `json:"previous"` // Hash of the entry before; "" in the first
	Hash     string `json:"hash"`     // SHA-256 of the entry's JSON with an empty hash, in hex
}

func (a AuditEntry) sum() string {
	a.Hash = ""
	sum := sha256.Sum256(a.encode())
	return hex.EncodeToString(sum[:])
}

func (a AuditEntry) encode() []byte {
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // texts and numbers
	}
	return text
}

// auditHead is the entry that was written last: without it, one that is missing at the end would not be missed.
type auditHead struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

const auditHeadSetting = "audit/head"

func auditSetting(seq int64) string { return fmt.Sprintf("audit/%012d", seq) }

// auditing appends one entry at a time.
type auditing struct{ sync.Mutex }

// record makes an entry durable before its act. Other routers may append at the same time.
func (e *Engine) record(ctx context.Context, entry AuditEntry) error {
	e.auditing.Lock()
	defer e.auditing.Unlock()
	ctx = context.WithoutCancel(ctx)
	entry.Actor, entry.At = actorOf(ctx), e.now().UTC()
	for _, text := range []*string{&entry.Actor, &entry.Subject, &entry.Note, &entry.Failed} {
		*text = strings.ToValidUTF8(*text, "\ufffd") // else it is not read as it was written
	}
	err := e.append(ctx, &entry)
	e.checkStore(err)
	if err != nil {
		return fmt.Errorf("engine: the audit log cannot be written, so nothing was done: %w", err)
	}
	e.log.Info("audit", "seq", entry.Seq, "actor", entry.Actor, "act", string(entry.Act), "subject", entry.Subject, "hash", entry.Hash)
	return nil
}

func (e *Engine) append(ctx context.Context, entry *AuditEntry) error {
	head, err := readAuditHead(ctx, e.store)
	if err != nil {
		return err
	}
	for {
		entry.Seq, entry.Previous = head.Seq+1, head.Hash
		entry.Hash = entry.sum()
		stored, err := e.store.InitSetting(ctx, auditSetting(entry.Seq), entry.encode())
		if err != nil {
			return err
		}
		if bytes.Equal(stored, entry.encode()) {
			break
		}
		var other AuditEntry // of another router, or written just before a crash
		if err := json.Unmarshal(stored, &other); err != nil {
			return fmt.Errorf("%w: entry %d of the audit log cannot be read: %w", store.ErrCorrupt, entry.Seq, err)
		}
		head = auditHead{entry.Seq, other.Hash}
	}
	// The entry is there and follows the one before it: without the head only its removal would not be noticed.
	if err := e.putSetting(ctx, auditHeadSetting, auditHead{entry.Seq, entry.Hash}); err != nil {
		e.checkStore(err)
		e.log.Error("which entry of the audit log is the last could not be kept", "seq", entry.Seq, "error", err)
	}
	return nil
}

// notDone records that an act that was announced has failed.
func (e *Engine) notDone(ctx context.Context, entry AuditEntry, why error) {
	entry.Failed = why.Error()
	if err := e.record(ctx, entry); err != nil {
		e.log.Error("that an act was not done cannot be recorded", "act", string(entry.Act), "subject", entry.Subject, "error", err)
	}
}

func readAuditHead(ctx context.Context, s store.Store) (auditHead, error) {
	var head auditHead
	_, err := readSetting(ctx, s, auditHeadSetting, &head)
	return head, err
}

// Audit returns the entries of the audit log after a number (0 = from the first), at most limit. Those that are missing
// or cannot be read are left out: VerifyAudit names them.
func (e *Engine) Audit(ctx context.Context, after int64, limit int) ([]AuditEntry, error) {
	return ReadAudit(ctx, e.store, after, limit)
}

// ReadAudit is Engine.Audit of a store that no engine has.
func ReadAudit(ctx context.Context, s store.Store, after int64, limit int) ([]AuditEntry, error) {
	entries := []AuditEntry{}
	err := walkAudit(ctx, s, after, func(seq int64, raw []byte) bool {
		var entry AuditEntry
		if raw != nil && json.Unmarshal(raw, &entry) == nil {
			entries = append(entries, entry)
		}
		return len(entries) < limit
	})
	return entries, err
}

// walkAudit calls visit with each entry after a number, as it is stored; nil for one that is missing.
func walkAudit(ctx context.Context, s store.Store, after int64, visit func(seq int64, raw []byte) (more bool)) error {
	head, err := readAuditHead(ctx, s)
	if err != nil {
		return err
	}
	gap := 0 // of entries that are missing, in a row
	for seq := after + 1; seq > after && gap <= maxAuditGap; seq++ {
		raw, err := s.Setting(ctx, auditSetting(seq))
		missing := errors.Is(err, store.ErrNotFound)
		if err != nil && !missing {
			return err
		}
		if gap++; !missing {
			gap = 0
		}
		if missing && seq > head.Seq || !visit(seq, raw) {
			return nil
		}
	}
	return nil
}

// maxAuditGap bounds how many missing entries in a row are told: a head that was tampered with may name any number.
const maxAuditGap = 1000

// AuditFault is what is wrong with one entry of an audit log.
type AuditFault struct {
	Seq     int64  `json:"seq"`
	Message string `json:"message"`
}

// AuditReport is what came of verifying an audit log.
type AuditReport struct {
	Entries int64        `json:"entries"`
	Head    string       `json:"head"` // hash of the last entry: a copy kept elsewhere shows whether the whole log was replaced
	Faults  []AuditFault `json:"faults"`
}

// VerifyAudit looks whether every entry of the audit log is there, unchanged and in its place.
func (e *Engine) VerifyAudit(ctx context.Context) (AuditReport, error) {
	return VerifyAudit(ctx, e.store)
}

// VerifyAudit is Engine.VerifyAudit of a store that no engine has: of a router that is stopped, or of a backup.
func VerifyAudit(ctx context.Context, s store.Store) (AuditReport, error) {
	report := AuditReport{Faults: []AuditFault{}}
	head, err := readAuditHead(ctx, s)
	if err != nil {
		return report, err
	}
	fault := func(seq int64, format string, args ...any) {
		report.Faults = append(report.Faults, AuditFault{seq, fmt.Sprintf(format, args...)})
	}
	previous, known := "", true // of the entry before
	err = walkAudit(ctx, s, 0, func(seq int64, raw []byte) bool {
		report.Entries = seq
		var entry AuditEntry
		switch {
		case raw == nil:
			fault(seq, "entry %d is missing", seq)
			known = false
			return true
		case json.Unmarshal(raw, &entry) != nil || !bytes.Equal(raw, entry.encode()) || entry.Hash != entry.sum():
			fault(seq, "entry %d was changed: its hash is not that of its content", seq)
			known = false
			return true
		case entry.Seq != seq:
			fault(seq, "entry %d stands in the place of entry %d", entry.Seq, seq)
		case known && entry.Previous != previous:
			fault(seq, "entry %d does not follow the entry before it: one of the two was replaced", seq)
		case seq == head.Seq && entry.Hash != head.Hash:
			fault(seq, "entry %d is not the one that was written last", seq)
		}
		previous, known, report.Head = entry.Hash, true, entry.Hash
		return true
	})
	if head.Seq == 0 && report.Entries > 1 {
		fault(report.Entries, "which entry was the last is not known: the head of the log is missing")
	}
	return report, err
}
