package mapfn

import (
	"bytes"
	"encoding/hex"
	"strconv"
)

// codec writes a record, or reads one: a record's members method names its
// members once, for both. It knows one spelling only, so what it reads is what
// it writes. A log does this some ten times for each entry, which is why it is
// not encoding/json, with which a test compares it.
type codec struct {
	b       []byte // written so far, or yet to be read
	reading bool
	bad     bool // what was read is not a record
}

// begin is the first member of a record, its version; most such records have at most
// size bytes.
func (c *codec) begin(v *int, size int) {
	if !c.reading {
		c.b = make([]byte, 0, size)
	}
	small(c, `{"v":`, v)
}

// lit writes s, or reads exactly that.
func (c *codec) lit(s string) {
	if !c.reading {
		c.b = append(c.b, s...)
		return
	}
	if !c.next(s) {
		c.bad = true
	}
}

// next reads s if it comes next.
func (c *codec) next(s string) bool {
	if !c.ahead(s) {
		return false
	}
	c.b = c.b[len(s):]
	return true
}

// number is a member; lit is what stands before it.
func (c *codec) number(lit string, n *uint64) {
	c.lit(lit)
	c.uint(n)
}

// uint is a decimal, 0|[1-9][0-9]*.
func (c *codec) uint(n *uint64) {
	if !c.reading {
		c.b = strconv.AppendUint(c.b, *n, 10)
		return
	}
	i := 0
	for i < len(c.b) && c.b[i]-'0' <= 9 {
		i++
	}
	v, err := strconv.ParseUint(string(c.b[:i]), 10, 64)
	c.bad = c.bad || err != nil || i > 1 && c.b[0] == '0'
	*n, c.b = v, c.b[i:]
}

// small is a number of fewer bits.
func small[T uint8 | uint16 | int](c *codec, lit string, v *T) {
	n := uint64(*v)
	c.number(lit, &n)
	*v = T(n)
	c.bad = c.bad || uint64(*v) != n
}

// text is a string member. No record holds a character that JSON escapes.
func (c *codec) text(lit string, s *string) {
	c.lit(lit)
	c.quoted(s)
}

func (c *codec) quoted(s *string) {
	c.lit(`"`)
	if !c.reading {
		c.b = append(c.b, *s...)
		c.lit(`"`)
		return
	}
	i := max(0, bytes.IndexByte(c.b, '"'))
	for _, ch := range c.b[:i] {
		c.bad = c.bad || ch <= ' ' || ch > '~' || ch == '\\' || ch == '<' || ch == '>' || ch == '&'
	}
	*s, c.b = string(c.b[:i]), c.b[i:]
	c.lit(`"`)
}

// hash is a member of 64 hex digits.
func (c *codec) hash(lit string, h *Hex) {
	c.lit(lit)
	c.digits(h)
}

func (c *codec) digits(h *Hex) {
	c.lit(`"`)
	switch {
	case !c.reading:
		c.b = hex.AppendEncode(c.b, h[:])
	case len(c.b) < 2*len(h) || bytes.ContainsAny(c.b[:2*len(h)], "ABCDEF"):
		c.bad = true
	default:
		_, err := hex.Decode(h[:], c.b[:2*len(h)])
		c.bad = c.bad || err != nil
		c.b = c.b[2*len(h):]
	}
	c.lit(`"`)
}

// maybe is a member that may be absent; one reads or writes it.
func maybe[T any](c *codec, lit string, v **T, one func(lit string, v *T)) {
	if c.reading && c.ahead(lit) {
		*v = new(T)
	}
	if *v != nil {
		one(lit, *v)
	}
}

// maybeText is a string that is absent when it is empty.
func (c *codec) maybeText(lit string, s *string) {
	if c.reading && !c.ahead(lit) || !c.reading && *s == "" {
		return
	}
	c.text(lit, s)
	c.bad = c.bad || *s == ""
}

// ahead reports whether s comes next.
func (c *codec) ahead(s string) bool { return len(c.b) >= len(s) && string(c.b[:len(s)]) == s }

// list is an array; one reads or writes an item.
func list[T any](c *codec, lit string, items *[]T, one func(*T)) {
	c.lit(lit)
	c.lit("[")
	if !c.reading {
		for i := range *items {
			if i > 0 {
				c.lit(",")
			}
			one(&(*items)[i])
		}
		c.lit("]")
		return
	}
	*items = []T{}
	for !c.bad && !c.next("]") {
		if len(*items) > 0 {
			c.lit(",")
		}
		var item T
		one(&item)
		*items = append(*items, item)
	}
}

// maybeList is a list that is absent when it is empty.
func maybeList[T any](c *codec, lit string, items *[]T, one func(*T)) {
	if c.reading && !c.ahead(lit) || !c.reading && len(*items) == 0 {
		return
	}
	list(c, lit, items, one)
	c.bad = c.bad || len(*items) == 0
}

func (r *AttestationRecord) members(c *codec) {
	c.begin(&r.V, 208)
	c.text(`,"state":`, &r.State)
	maybe(c, `,"reason":`, &r.Reason, func(lit string, v *uint8) { small(c, lit, v) })
	c.number(`,"issued":`, &r.Issued)
	c.hash(`,"leaf":`, &r.Leaf)
	c.number(`,"last":`, &r.Last)
	c.hash(`,"key":`, &r.Key)
	maybe(c, `,"successor":`, &r.Successor, c.hash)
	maybeList(c, `,"withdrawn":`, &r.Withdrawn, c.quoted)
	maybe(c, `,"hold":`, &r.Hold, c.hash)
	maybe(c, `,"by":`, &r.By, c.hash)
	maybe(c, `,"until":`, &r.Until, c.number)
	c.lit(`}`)
}

func (r *ListRecord) members(c *codec) {
	c.begin(&r.V, 112)
	c.number(`,"count":`, &r.Count)
	c.number(`,"last":`, &r.Last)
	c.hash(`,"root":`, &r.Root)
	c.lit(`}`)
}

func (r *KeyRecord) members(c *codec) {
	c.begin(&r.V, 160)
	c.text(`,"state":`, &r.State)
	c.text(`,"role":`, &r.Role)
	c.number(`,"first":`, &r.First)
	maybe(c, `,"end":`, &r.End, c.number)
	maybe(c, `,"cutoff":`, &r.Cutoff, c.number)
	maybe(c, `,"party":`, &r.Party, c.hash)
	c.number(`,"last":`, &r.Last)
	maybeList(c, `,"voids":`, &r.Voids, func(v *Void) { v.members(c) })
	c.lit(`}`)
}

func (v *Void) members(c *codec) {
	c.number(`{"from":`, &v.From)
	c.number(`,"to":`, &v.To)
	small(c, `,"reason":`, &v.Reason)
	c.maybeText(`,"package":`, &v.Package)
	c.lit(`}`)
}

func (r *PartyRecord) members(c *codec) {
	c.begin(&r.V, 384)
	c.text(`,"state":`, &r.State)
	c.number(`,"issued":`, &r.Issued)
	c.hash(`,"leaf":`, &r.Leaf)
	c.number(`,"last":`, &r.Last)
	maybe(c, `,"end":`, &r.End, c.number)
	c.hash(`,"recovery":`, &r.Recovery)
	list(c, `,"roles":`, &r.Roles, c.quoted)
	c.number(`,"keys":`, &r.Keys)
	c.number(`,"count":`, &r.Count)
	c.number(`,"lastEvent":`, &r.LastEvent)
	c.hash(`,"root":`, &r.Root)
	c.lit(`}`)
}

func (r *LogRecord) members(c *codec) {
	c.begin(&r.V, 512)
	small(c, `,"fn":`, &r.Fn)
	c.text(`,"admission":`, &r.Admission)
	c.text(`,"issuance":`, &r.Issuance)
	c.hash(`,"leaf":`, &r.Leaf)
	c.number(`,"last":`, &r.Last)
	list(c, `,"registrars":`, &r.Registrars, c.digits)
	list(c, `,"roots":`, &r.Roots, c.digits)
	c.maybeText(`,"successor":`, &r.Successor)
	c.lit(`}`)
}

func (r *ProgrammeRecord) members(c *codec) {
	c.begin(&r.V, 224)
	c.text(`,"state":`, &r.State)
	c.number(`,"issued":`, &r.Issued)
	c.number(`,"at":`, &r.At)
	c.hash(`,"leaf":`, &r.Leaf)
	c.number(`,"last":`, &r.Last)
	c.hash(`,"party":`, &r.Party)
	c.lit(`}`)
}
