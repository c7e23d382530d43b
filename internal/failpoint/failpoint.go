// Package failpoint names the points at which a program is made to fail in tests: to die as kill -9 does, to get an
// error, or to be held up. Only a program that is built with -tags failpoints can; in any other the functions are
// empty and cost nothing.
//
// The environment variable CAUCE_FAILPOINTS is the path of a file that says what happens where. It is read at every
// passage, so that it may change while the program runs; while it is missing, nothing happens. It holds entries of the
// form point=action[:duration][@n], separated by white space. The actions:
//
//	crash            dies; with :200ms that much later, while the program goes on
//	sleep:200ms      is held up
//	EIO ENOSPC EROFS get that error of the system, where an error can happen
//
// n is the passage at which it happens, counted from 1 since the entry is in the file; @n+ is that one and all that
// follow; without it every one. answer-read=crash@2 dies when the second answer of a provider has been read.
package failpoint

// Point is a place in the program.
type Point string

// The points, in the order in which a payment meets them.
const (
	RequestRead    Point = "request-read"    // a payment was asked for; nothing is known of it yet
	IntentDecided  Point = "intent-decided"  // its key, decision and first attempt are about to be written, all at once
	LogWritten     Point = "log-written"     // a group of writes is in the log and not synced
	IntentStored   Point = "intent-stored"   // the attempt is durable; its provider has not heard of it
	AttemptSent    Point = "attempt-sent"    // the provider is asked; crash:200ms dies while it works
	AnswerRead     Point = "answer-read"     // the provider has answered; nothing of that is written
	AnswerStored   Point = "answer-stored"   // what the answer means is durable, events for the feed included
	NextStored     Point = "next-stored"     // so is the next candidate's attempt, in the same write
	Acknowledging  Point = "acknowledging"   // the caller is about to be answered
	DoubtStored    Point = "doubt-stored"    // an attempt that a process left behind is durably in doubt
	LookupSent     Point = "lookup-sent"     // a provider is asked what became of an attempt
	LookupAnswered Point = "lookup-answered" // it has answered; nothing of that is written
	ResendStored   Point = "resend-stored"   // that an attempt is sent again is durable; it is not sent yet

	NotificationRead    Point = "notification-read"    // a provider's webhook has come; it is not stored
	NotificationStored  Point = "notification-stored"  // it is durable; its sender has not been answered
	NotificationApplied Point = "notification-applied" // what it was about is durable; it is still in the inbox

	WebhookSent   Point = "webhook-sent"   // a merchant has accepted a webhook; that is not stored
	RulesSwapped  Point = "rules-swapped"  // other rules are in force; their providers' accounts are not stored
	BackupBegun   Point = "backup-begun"   // the first file of a backup is made
	FormatWritten Point = "format-written" // a new store has said what it is; it is not in order yet

	// Operations of the file system, and asking it for free space, of which an error means that there is none.
	DiskCreate Point = "disk-create"
	DiskWrite  Point = "disk-write"
	DiskSync   Point = "disk-sync"
	DiskRename Point = "disk-rename"
	DiskSpace  Point = "disk-space"
)
