package mapfn

import "errors"

// Hash is a SHA-256 value: a map key, a map or tree root, a leaf hash or an id.
type Hash = [32]byte

// NS is a namespace of the status map (SPEC.md, "Namespaces").
type NS byte

// The namespaces of map function 1.
const (
	NSAttestation NS = 1 // data: attestation id, 32 bytes
	NSComponent   NS = 2 // data: purl with version, up to the first '?' or '#'
	NSPackage     NS = 3 // data: the same without '@version'
	NSDigest      NS = 4 // data: "sha256:<hex>", "sha512:<hex>" or "gitCommit:<hex>"
	NSKey         NS = 5 // data: keyid, 32 bytes
	NSParty       NS = 6 // data: party id, 32 bytes
	NSLog         NS = 7 // data: empty
	NSProgramme   NS = 8 // data: programme id, 32 bytes
)

// Reader gives Step the state it may read, and nothing else (SPEC.md, "Bounded
// reads"): everything a Reader returns can be authenticated against the map
// root, so that a false seal can be proven from a file.
//
// Implementations MUST return the state left by the leaves before the one that
// is being stepped, including earlier leaves of the same batch. A Reader is
// used by one goroutine.
type Reader interface {
	// Record returns the record at (ns, data), or nil if the map has none.
	// The caller MUST NOT modify it.
	Record(ns NS, data []byte) ([]byte, error)

	// Peaks returns the hashes of the perfect subtrees, from left to right,
	// whose RFC 6962 root over count entries is the root in the event list
	// at (ns, data). It is nil where there is no record.
	Peaks(ns NS, data []byte) ([]Hash, error)

	// Leaf returns the leaf at index. It MUST fail with ErrNoLeaf if the
	// leaf stored there does not have the given RFC 6962 leaf hash.
	Leaf(index uint64, hash Hash) ([]byte, error)
}

// ErrNoLeaf is returned by a Reader that does not hold the leaf asked for.
var ErrNoLeaf = errors.New("leaf not held")

// Change is one record written by Step. A later Change of the same leaf never
// names the same (NS, Data).
type Change struct {
	NS     NS
	Data   []byte
	Record []byte

	// Event is the entry appended to the event list of this record, or nil
	// where the record has no list or the list did not grow.
	Event *Event
	// Peaks are the list's perfect subtrees after Event, from left to right.
	// Set iff Event is.
	Peaks []Hash
}

// Writes is what one effective leaf does to the state.
type Writes struct {
	Changes     []Change
	Withdrawals []Withdrawal // in subject order
}

// EventKind says what an Event of an event list records.
type EventKind byte

// Kinds of events (SPEC.md, "Event lists").
const (
	EventIssue      EventKind = 1
	EventKeyAdd     EventKind = 7
	EventRetire     EventKind = 8
	EventCompromise EventKind = 9
	EventRange      EventKind = 10
	EventEnrol      EventKind = 11
	EventAmend      EventKind = 12
	EventEnd        EventKind = 13
	EventPublish    EventKind = 14 // of a programme, as the two that follow
	EventRules      EventKind = 15
	EventClose      EventKind = 16
)

// EventSize is the length of a marshalled Event.
const EventSize = 41

// Event is an entry of an event list: u64 index ‖ u8 kind ‖ 32-byte id.
type Event struct {
	Index uint64
	Kind  EventKind
	ID    Hash
}

// WithdrawalSize is the length of a marshalled Withdrawal.
const WithdrawalSize = 60

// WithdrawalKind says what a Withdrawal means.
type WithdrawalKind byte

// Kinds of withdrawals (SPEC.md, "Withdrawal list").
const (
	WithdrawalRevoked    WithdrawalKind = 1
	WithdrawalHeld       WithdrawalKind = 2
	WithdrawalReinstated WithdrawalKind = 3
	WithdrawalClaims     WithdrawalKind = 4
	WithdrawalSuperseded WithdrawalKind = 5
	WithdrawalKeyCutoff  WithdrawalKind = 6
	WithdrawalKeyRange   WithdrawalKind = 7
	WithdrawalPartyEnded WithdrawalKind = 8
)

// FlagReadLeaf in a Withdrawal's flags says that its leaf has more to say.
const FlagReadLeaf uint16 = 1

// Withdrawal is a record of the withdrawal list: u64 event index ‖ u8 kind ‖
// u8 reason ‖ u16 flags ‖ 32-byte id, keyid or party id ‖ u64 from ‖ u64 to.
type Withdrawal struct {
	Index    uint64
	Kind     WithdrawalKind
	Reason   uint8
	Flags    uint16
	ID       Hash
	From, To uint64
}
