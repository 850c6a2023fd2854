package entry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/reason"
)

// Actions of party, key, programme and revocation events.
const (
	ActionEnrol      = "enrol"
	ActionAmend      = "amend"
	ActionEnd        = "end"
	ActionAdd        = "add"
	ActionRetire     = "retire"
	ActionCompromise = "compromise"
	ActionRange      = "range"
	ActionPublish    = "publish"
	ActionClose      = "close"
	ActionRevoke     = "revoke"
	ActionHold       = "hold"
	ActionReinstate  = "reinstate"
	ActionClaims     = "claims"
)

// Charter is the predicate of a charter event: who runs the log, and how.
type Charter struct {
	Log        string
	After      *uint64 // nil in the first charter
	Admission  string
	Issuance   string // "open" or "closed"
	MapFn      uint16
	Registrars []PublicKey // sorted by keyid
	Roots      []PublicKey // sorted by keyid
	Successor  string      // "" if none
}

func (e *Entry) parseCharter(f *fields) error {
	c := &Charter{
		Log:       f.origin("log"),
		After:     optional(f, "after", f.index),
		Admission: f.code("admission"),
		Issuance:  f.enum("issuance", "open", "closed"),
		MapFn:     uint16(f.integer("mapfn", 1, 1<<16)),
	}
	if s := optional(f, "successor", f.origin); s != nil {
		c.Successor = *s
	}
	c.Registrars = f.keys("registrars")
	c.Roots = f.keys("roots")
	if err := f.done(); err != nil {
		return err
	}
	for _, k := range c.Roots {
		if slices.ContainsFunc(c.Registrars, func(r PublicKey) bool { return r.ID() == k.ID() }) {
			return reason.Errorf(reason.CharterKeys, "key %x is both root and registrar", k.ID())
		}
	}
	e.Charter = c
	return e.logSubject(c.Log)
}

// logSubject checks the subject of a charter.
func (e *Entry) logSubject(origin string) error {
	digest := sha256.Sum256([]byte(origin))
	s := e.Subjects[0]
	if len(e.Subjects) != 1 || s.Name != "log:"+origin || s.Algorithm != "sha256" || s.Digest != hex.EncodeToString(digest[:]) {
		return reason.Errorf(reason.SubjectInvalid, "a charter has one subject, log:<origin> with digest sha256 of the origin")
	}
	return nil
}

// keys reads 1 to 8 SPKIs, sorted by keyid.
func (f *fields) keys(name string) []PublicKey {
	a := f.array(name)
	if f.err == nil && (len(a) < 1 || len(a) > 8) {
		f.fail(reason.MemberInvalid, "%s has %d keys, not 1 to 8", name, len(a))
	}
	keys := make([]PublicKey, 0, 8)
	for i := 0; i < len(a) && f.err == nil; i++ {
		item := fields{o: object{{name: "key", value: a[i].value}}, where: name}
		keys = append(keys, item.publicKey("key"))
		f.adopt(&item)
	}
	f.sortedByID(name, keys)
	return keys
}

// adopt takes over the failure of a nested reader.
func (f *fields) adopt(nested *fields) {
	if err := nested.done(); f.err == nil {
		f.err = err
	}
}

func (f *fields) sortedByID(name string, keys []PublicKey) {
	for i := 1; i < len(keys); i++ {
		a, b := keys[i-1].ID(), keys[i].ID()
		if bytes.Compare(a[:], b[:]) >= 0 {
			f.fail(reason.MemberInvalid, "%s is not sorted by keyid", name)
		}
	}
}

func (f *fields) publicKey(name string) PublicKey {
	spki := f.base64(name)
	if f.err != nil {
		return PublicKey{}
	}
	k, err := ParseKey(spki)
	f.err = err
	return k
}

// KeyProof is a key with its proof of possession.
type KeyProof struct {
	Key PublicKey
	Pop []byte // raw signature of the text of SPEC.md, "party"
}

func (f *fields) keyProof(v value, where string) KeyProof {
	if f.err != nil {
		return KeyProof{}
	}
	nested := f.object(v, where)
	p := KeyProof{Key: nested.publicKey("key"), Pop: nested.base64("pop")}
	f.adopt(&nested)
	return p
}

// Party is the predicate of a party event.
type Party struct {
	Log      string
	Action   string     // ActionEnrol, ActionAmend or ActionEnd
	After    *uint64    // amend
	Name     string     // enrol
	Website  string     // enrol; "" in an amendment that keeps it
	Roles    []string   // enrol, sorted; nil in an amendment that keeps them
	Keys     []KeyProof // enrol, sorted by keyid
	Recovery *KeyProof  // enrol; nil in an amendment that keeps it
}

func (e *Entry) parseParty(f *fields) error {
	p := &Party{Log: f.origin("log"), Action: f.enum("action", ActionEnrol, ActionAmend, ActionEnd)}
	switch {
	case f.err != nil:
	case p.Action == ActionEnrol:
		p.Name = f.partyName("name")
		p.Website = f.link("website")
		p.Roles = f.strings("roles", 1, 8, validRole)
		p.Keys = f.keyProofs("keys")
		r := f.keyProof(f.get("recovery"), "recovery")
		p.Recovery = &r
	case p.Action == ActionAmend:
		f.parseAmendment(p)
	}
	if err := f.done(); err != nil {
		return err
	}
	e.Party = p
	if p.Action != ActionEnrol {
		return e.oneSubject("party:")
	}
	return e.enrolSubjects(p)
}

func (f *fields) parseAmendment(p *Party) {
	p.After = optional(f, "after", f.index)
	if p.After == nil {
		f.fail(reason.MemberMissing, "after is missing")
	}
	if f.has("roles") {
		p.Roles = f.strings("roles", 1, 8, validRole)
	}
	if s := optional(f, "website", f.link); s != nil {
		p.Website = *s
	}
	if f.has("recovery") {
		r := f.keyProof(f.get("recovery"), "recovery")
		p.Recovery = &r
	}
	// SPEC: either roles alone, or one or both of website and recovery.
	other := p.Website != "" || p.Recovery != nil
	if (p.Roles != nil) == other {
		f.fail(reason.MemberInvalid, "an amendment carries either roles, or website and recovery")
	}
}

func (f *fields) keyProofs(name string) []KeyProof {
	a := f.array(name)
	if f.err == nil && (len(a) < 1 || len(a) > 8) {
		f.fail(reason.MemberInvalid, "%s has %d keys, not 1 to 8", name, len(a))
	}
	var out []KeyProof
	var keys []PublicKey
	for i := 0; i < len(a) && f.err == nil; i++ {
		p := f.keyProof(a[i].value, name)
		out, keys = append(out, p), append(keys, p.Key)
	}
	f.sortedByID(name, keys)
	return out
}

// enrolSubjects checks that the subjects are exactly the keys.
func (e *Entry) enrolSubjects(p *Party) error {
	want := map[Hash]bool{p.Recovery.Key.ID(): true}
	for _, k := range p.Keys {
		want[k.Key.ID()] = true
	}
	if len(want) != len(p.Keys)+1 {
		return reason.Errorf(reason.SubjectInvalid, "the recovery key is also an ordinary key")
	}
	if err := e.idSubjects("key:"); err != nil {
		return err
	}
	for _, s := range e.Subjects {
		delete(want, s.ID)
	}
	if len(e.Subjects) != len(p.Keys)+1 || len(want) > 0 {
		return reason.Errorf(reason.SubjectInvalid, "the subjects are not the keys that are enrolled")
	}
	return nil
}

// Key is the predicate of a key event. The key is the entry's only subject.
type Key struct {
	Log    string
	Action string    // ActionAdd, ActionRetire, ActionCompromise or ActionRange
	Party  Hash      // add
	Add    *KeyProof // add
	Cutoff *uint64   // compromise; nil: own index
	Range  *KeyRange // range
}

// KeyRange declares void what a key attested from index From up to, but
// without, index To, of which it may be the attestations of one package only.
type KeyRange struct {
	From, To uint64
	Reason   uint8
	Package  string // purl without version; "" if it is about all
}

func (e *Entry) parseKey(f *fields) error {
	k := &Key{Log: f.origin("log"), Action: f.str("action")}
	switch {
	case f.err != nil:
	case k.Action == ActionAdd:
		k.Party = f.hash("party")
		k.Add = &KeyProof{Key: f.publicKey("key"), Pop: f.base64("pop")}
	case k.Action == ActionCompromise:
		k.Cutoff = optional(f, "cutoff", f.index)
	case k.Action == ActionRange:
		k.Range = f.keyRange()
	case k.Action != ActionRetire:
		f.fail(reason.MemberInvalid, "action is %.80q", k.Action)
	}
	if err := f.done(); err != nil {
		return err
	}
	e.Key = k
	if err := e.oneSubject("key:"); err != nil {
		return err
	}
	if k.Add != nil && k.Add.Key.ID() != e.Subjects[0].ID {
		return reason.Errorf(reason.SubjectInvalid, "the subject is not the key that is added")
	}
	return nil
}

func (f *fields) keyRange() *KeyRange {
	r := &KeyRange{From: f.index("from"), To: f.index("to"), Reason: uint8(f.integer("reason", 0, 256))}
	if f.err == nil && r.From >= r.To {
		f.fail(reason.MemberInvalid, "from is not before to")
	}
	if f.has("package") {
		r.Package = f.str("package")
		// SPEC: a canonical purl without version, qualifiers and subpath.
		if p, err := purl.Parse(r.Package); f.err == nil && (err != nil || p.Package() != r.Package) {
			f.fail(reason.Purl, "package %.120q is not a canonical purl without version, qualifiers and subpath", r.Package)
		}
	}
	return r
}

// Revocation is the predicate of a revocation event.
type Revocation struct {
	Log       string
	Action    string // ActionRevoke, ActionHold, ActionReinstate or ActionClaims
	Reason    uint8
	Until     uint64   // hold
	After     []uint64 // hold: one per subject
	Hold      Hash     // reinstate: id of the hold event
	Claims    []string // claims, sorted: ids of the claims withdrawn
	Programme *Hash    // as whose operator the signer acts, if not as the issuer
	Refs      []string
	Link      string
	Since     *uint64
}

func (e *Entry) parseRevocation(f *fields) error {
	r := &Revocation{Log: f.origin("log"), Action: f.str("action")}
	switch {
	case f.err != nil:
	case r.Action == ActionHold:
		r.Until = f.time("until")
		r.After = f.indexes("after", len(e.Subjects))
	case r.Action == ActionReinstate:
		r.Hold = f.hash("hold")
	case r.Action == ActionClaims:
		r.Claims = f.strings("claims", 1, 64, codes.has)
	case r.Action != ActionRevoke:
		f.fail(reason.MemberInvalid, "action is %.80q", r.Action)
	}
	r.Reason = uint8(f.integer("reason", 0, 256))
	r.Programme = optional(f, "programme", f.hash)
	if f.has("refs") {
		r.Refs = f.strings("refs", 1, 16, codes.has)
	}
	if s := optional(f, "link", f.link); s != nil {
		r.Link = *s
	}
	r.Since = optional(f, "since", f.time)
	if err := f.done(); err != nil {
		return err
	}
	e.Revocation = r
	return e.idSubjects("att:")
}

// indexes reads an array of exactly n indexes.
func (f *fields) indexes(name string, n int) []uint64 {
	a := f.array(name)
	if f.err == nil && len(a) != n {
		f.fail(reason.MemberInvalid, "%s has %d items, not one per subject", name, len(a))
	}
	out := make([]uint64, 0, n)
	for i := 0; i < len(a) && f.err == nil; i++ {
		item := fields{o: object{{name: name, value: a[i].value}}, where: name}
		out = append(out, item.index(name))
		f.adopt(&item)
	}
	return out
}
