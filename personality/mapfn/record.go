package mapfn

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// States of records.
const (
	StateActive      = "active"
	StateHeld        = "held"
	StateSuperseded  = "superseded"
	StateRevoked     = "revoked"
	StateRetired     = "retired"
	StateCompromised = "compromised"
	StateEnded       = "ended"
	StateOpen        = "open"
	StateClosed      = "closed"
)

// Roles of keys.
const (
	RoleOrdinary  = "ordinary"
	RoleRecovery  = "recovery"
	RoleRegistrar = "registrar"
	RoleRoot      = "root"
)

// ErrRecord is wrapped by errors of the record parsers.
var ErrRecord = errors.New("malformed record")

// Hex is a Hash that is written in hex.
type Hex Hash

// MarshalText writes 64 lower-case hex digits.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads 64 hex digits. Upper case is refused by the parsers,
// which write every record again.
func (h *Hex) UnmarshalText(b []byte) error {
	if hex.DecodedLen(len(b)) != len(h) {
		return errors.New("hash is not 64 hex digits")
	}
	_, err := hex.Decode(h[:], b)
	return err
}

// Limits of what a record holds.
const (
	maxWithdrawn = 64 // claims of an attestation
	maxVoids     = 16 // ranges of a key
	maxKeys      = 32 // ordinary keys that a party ever has
)

// The records of SPEC.md, "Namespaces". Field order is the order of members.
type (
	// AttestationRecord is the record of namespace 1.
	AttestationRecord struct {
		V         int      `json:"v"`
		State     string   `json:"state"`
		Reason    *uint8   `json:"reason,omitempty"` // iff held or revoked
		Issued    uint64   `json:"issued"`
		Leaf      Hex      `json:"leaf"`
		Last      uint64   `json:"last"`
		Key       Hex      `json:"key"`
		Successor *Hex     `json:"successor,omitempty"`
		Withdrawn []string `json:"withdrawn,omitempty"` // ids of claims, sorted
		Hold      *Hex     `json:"hold,omitempty"`
		By        *Hex     `json:"by,omitempty"`
		Until     *uint64  `json:"until,omitempty"`
	}

	// ListRecord is the record of namespaces 2, 3 and 4.
	ListRecord struct {
		V     int    `json:"v"`
		Count uint64 `json:"count"`
		Last  uint64 `json:"last"`
		Root  Hex    `json:"root"`
	}

	// KeyRecord is the record of namespace 5.
	KeyRecord struct {
		V      int     `json:"v"`
		State  string  `json:"state"`
		Role   string  `json:"role"`
		First  uint64  `json:"first"`
		End    *uint64 `json:"end,omitempty"`
		Cutoff *uint64 `json:"cutoff,omitempty"`
		Party  *Hex    `json:"party,omitempty"`
		Last   uint64  `json:"last"`
		Voids  []Void  `json:"voids,omitempty"` // in log order
	}

	// Void is a range of indexes: what the key attested in it, From <=
	// issued < To, about Package or, where that is empty, about anything,
	// counts as revoked.
	Void struct {
		From    uint64 `json:"from"`
		To      uint64 `json:"to"`
		Reason  uint8  `json:"reason"`
		Package string `json:"package,omitempty"`
	}

	// PartyRecord is the record of namespace 6.
	PartyRecord struct {
		V         int      `json:"v"`
		State     string   `json:"state"`
		Issued    uint64   `json:"issued"`
		Leaf      Hex      `json:"leaf"`
		Last      uint64   `json:"last"`
		End       *uint64  `json:"end,omitempty"`
		Recovery  Hex      `json:"recovery"`
		Roles     []string `json:"roles"`
		Keys      uint64   `json:"keys"`
		Count     uint64   `json:"count"`
		LastEvent uint64   `json:"lastEvent"`
		Root      Hex      `json:"root"`
	}

	// LogRecord is the record of namespace 7.
	LogRecord struct {
		V          int    `json:"v"`
		Fn         uint16 `json:"fn"`
		Admission  string `json:"admission"`
		Issuance   string `json:"issuance"`
		Leaf       Hex    `json:"leaf"`
		Last       uint64 `json:"last"`
		Registrars []Hex  `json:"registrars"`
		Roots      []Hex  `json:"roots"`
		Successor  string `json:"successor,omitempty"`
	}

	// ProgrammeRecord is the record of namespace 8.
	ProgrammeRecord struct {
		V      int    `json:"v"`
		State  string `json:"state"`
		Issued uint64 `json:"issued"`
		At     uint64 `json:"at"` // of the newest rules, as Leaf
		Leaf   Hex    `json:"leaf"`
		Last   uint64 `json:"last"`
		Party  Hex    `json:"party"`
	}
)

// record is a pointer to any of the six.
type record[R any] interface {
	*R
	members(*codec)
}

// marshal writes a record.
func marshal[R any, P record[R]](r R) []byte {
	var c codec
	P(&r).members(&c)
	return c.b
}

// unmarshal reads a record and refuses every spelling but the canonical one.
func unmarshal[R any, P record[R]](b []byte, check func(*R) bool) (R, error) {
	var r R
	c := codec{b: b, reading: true}
	P(&r).members(&c)
	if c.bad || len(c.b) != 0 || !check(&r) {
		return r, fmt.Errorf("%w: not canonical, or members that contradict each other: %.200q", ErrRecord, b)
	}
	return r, nil
}

// ParseAttestation parses a record of namespace 1.
func ParseAttestation(b []byte) (AttestationRecord, error) {
	return unmarshal(b, func(r *AttestationRecord) bool {
		held := r.State == StateHeld
		return r.V == 1 &&
			slices.Contains([]string{StateActive, StateHeld, StateSuperseded, StateRevoked}, r.State) &&
			(r.Reason != nil) == (held || r.State == StateRevoked) &&
			(r.Hold != nil) == held && (r.By != nil) == held && (r.Until != nil) == held &&
			(r.State != StateSuperseded || r.Successor != nil) &&
			len(r.Withdrawn) <= maxWithdrawn && ascending(r.Withdrawn)
	})
}

// ascending reports whether s is sorted, without two that are equal.
func ascending(s []string) bool {
	for i := 1; i < len(s); i++ {
		if s[i] <= s[i-1] {
			return false
		}
	}
	return true
}

// ParseList parses a record of namespaces 2, 3 and 4.
func ParseList(b []byte) (ListRecord, error) {
	return unmarshal(b, func(r *ListRecord) bool { return r.V == 1 && r.Count > 0 })
}

// ParseKey parses a record of namespace 5.
func ParseKey(b []byte) (KeyRecord, error) {
	return unmarshal(b, func(r *KeyRecord) bool {
		owned := r.Role == RoleOrdinary || r.Role == RoleRecovery
		return r.V == 1 &&
			slices.Contains([]string{StateActive, StateRetired, StateCompromised}, r.State) &&
			(owned || r.Role == RoleRegistrar || r.Role == RoleRoot) &&
			(r.End != nil) == (r.State != StateActive) &&
			(r.Cutoff != nil) == (r.State == StateCompromised) &&
			(r.Party != nil) == owned &&
			len(r.Voids) <= maxVoids && !slices.ContainsFunc(r.Voids, func(v Void) bool { return v.From >= v.To })
	})
}

// ParseParty parses a record of namespace 6.
func ParseParty(b []byte) (PartyRecord, error) {
	return unmarshal(b, func(r *PartyRecord) bool {
		return r.V == 1 && (r.State == StateActive || r.State == StateEnded) &&
			(r.End != nil) == (r.State == StateEnded) && r.Count > 0
	})
}

// ParseLog parses the record of namespace 7.
func ParseLog(b []byte) (LogRecord, error) {
	return unmarshal(b, func(r *LogRecord) bool {
		return r.V == 1 && r.Fn > 0 && (r.Issuance == StateOpen || r.Issuance == StateClosed) &&
			len(r.Registrars) > 0 && len(r.Roots) > 0
	})
}

// ParseProgramme parses a record of namespace 8.
func ParseProgramme(b []byte) (ProgrammeRecord, error) {
	return unmarshal(b, func(r *ProgrammeRecord) bool {
		return r.V == 1 && (r.State == StateOpen || r.State == StateClosed) &&
			r.Issued <= r.At && r.At <= r.Last
	})
}
