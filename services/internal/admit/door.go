package admit

import (
	"sync"
	"time"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/mapping"
	"gapwatch/services/internal/postcode"
	"gapwatch/services/internal/programme"
	"gapwatch/services/internal/pseudonym"
)

// Door decides what becomes of submissions. It may be used by several goroutines at once.
type Door struct {
	Programmes *programme.Set   // required
	Mapping    *mapping.Tables  // required
	Keys       pseudonym.Keys   // required
	Postcodes  *postcode.Index  // nil where there is no look-up: then no postcode is known
	Now        func() time.Time // required: the clock that "in the future" is judged by

	once sync.Once
}

// Any in a list of a [Scope] stands for everything.
const Any = "*"

// Scope is what a sender may send. An empty list allows nothing.
type Scope struct {
	Sources    []string // URIs as in the events, exactly; or Any
	Programmes []string // ids; or Any
}

// Result is what becomes of a submission that is not refused. Nothing in it tells the person, birth date or postcode.
type Result struct {
	// Publish says that Event is to be published under Subject with MsgID as its message id; Payload is its JSON.
	Publish        bool
	Event          event.Event
	Payload        []byte // the caller's to keep
	Subject, MsgID string

	// NoProgramme says that the record counts for no programme. Publish may be true all the same: then an earlier version
	// of the record may be counting, and Event retracts it.
	NoProgramme bool
	// Why says what the sender should know, one of [Whys]: why there is no programme, or what was left out. May be empty.
	Why string
	// Record is what the record is called in answers and logs: the HMAC that is also Event.Record.
	Record string
}

// Admit decides what becomes of a submission of a sender: a result, or the problem that refuses it.
func (d *Door) Admit(s *Submission, scope Scope) (Result, *Problem) {
	return Result{}, &Problem{Reason: NotSupported, Field: "item", Rule: "cannot be taken yet"}
}
