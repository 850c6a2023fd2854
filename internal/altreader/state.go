package altreader

import "unique"

// States of records.
const (
	active      = "active"
	held        = "held"
	superseded  = "superseded"
	revoked     = "revoked"
	retired     = "retired"
	compromised = "compromised"
	ended       = "ended"
	open        = "open"
	closedState = "closed"
)

// Roles of keys.
const (
	ordinary  = "ordinary"
	recovery  = "recovery"
	registrar = "registrar"
	root      = "root"
)

// charter is namespace 7.
type charter struct {
	fn                             uint64
	admission, issuance, successor string
	leaf                           Hash
	last                           uint64
	registrars, roots              []Hash
}

// key is namespace 5.
type key struct {
	public      *publicKey
	state, role string
	first, last uint64
	end, cutoff *uint64
	party       *Hash
	voids       []void
}

// party is namespace 6.
type party struct {
	state        string
	issued, last uint64
	leaf         Hash
	end          *uint64
	recovery     Hash
	roles        []string
	keys         uint64
	events       events
}

// programme is namespace 8, and what its newest rules say.
type programme struct {
	state            string
	issued, at, last uint64
	leaf, party      Hash
	rules            *rules
}

// attestation is namespace 1, and what later entries need of its leaf.
type attestation struct {
	state        string
	why          byte
	issued, last uint64
	leaf, key    Hash
	successor    *Hash
	withdrawn    []string
	hold, by     *Hash
	until        uint64

	packages  []string
	programme *Hash
	claims    unique.Handle[string] // ids, each with a line feed behind it
}

// settle puts a in a state that is not held.
func (a *attestation) settle(state string, index uint64) {
	a.state, a.last = state, index
	a.why, a.hold, a.by, a.until = 0, nil, nil, 0
}

// events is an event list.
type events struct {
	list
	last uint64 // index of the last event
}

// Kinds of events.
const (
	eventIssue            = 1
	eventAdd              = 7
	eventRetire           = 8
	eventCompromise       = 9
	eventRange            = 10
	eventEnrol            = 11
	eventAmend            = 12
	eventEnd              = 13
	eventProgrammePublish = 14
	eventProgrammeAmend   = 15
	eventProgrammeClose   = 16
)

// append adds an event: u64 index ‖ u8 kind ‖ 32-byte id.
func (l *events) append(index uint64, kind byte, id Hash) {
	l.list.add(append(append(u64(index), kind), id[:]...))
	l.last = index
}
