package trust

import (
	"fmt"
	"slices"
	"strings"
)

// maxTime bounds times. SPEC: times are Unix seconds below 2^40.
const maxTime = 1 << 40

// pins are what a reader knows besides the trust file.
type pins struct {
	operators  []operator
	operatorOf map[string]string // by origin or witness name
	closed     []Body
	minMapFn   uint16
	past       []pastKey
}

type operator struct {
	name  string
	names []string // origins and witness names
}

// pastKey is a key that is no longer used.
type pastKey struct {
	name string // the origin, if it is a log's; else the witness's name
	log  bool
	key  Key
	last int64 // Unix seconds
}

// Pin returns a policy that is p with the pins of a file (see the package
// documentation) instead of those that it has. The error is a *[ParseError].
func (p *Policy) Pin(text []byte) (*Policy, error) {
	pinned := *p
	pinned.pins = pins{operatorOf: map[string]string{}}
	r := &pinReader{lines: lines{file: "pins"}, policy: &pinned}
	if err := r.each(text, r.read); err != nil {
		return nil, err
	}
	return &pinned, nil
}

// Pins returns the pins in canonical form: operators, closed logs, the map
// function, past keys, each in the order of the file; empty if there are none.
func (p *Policy) Pins() string {
	var b strings.Builder
	for _, o := range p.pins.operators {
		writeLine(&b, append([]string{"operator", o.name}, o.names...)...)
	}
	for _, c := range p.pins.closed {
		writeLine(&b, "close", strings.Join(strings.Fields(c.String()), " "))
	}
	if p.pins.minMapFn > 0 {
		writeLine(&b, "min-mapfn", fmt.Sprint(p.pins.minMapFn))
	}
	for _, k := range p.pins.past {
		writeLine(&b, "past", k.name, k.key.Vkey, fmt.Sprint(k.last))
	}
	return b.String()
}

// MinMapFn returns the oldest map function whose seals the reader believes; 0
// if no pin says.
func (p *Policy) MinMapFn() uint16 { return p.pins.minMapFn }

// Closed reports whether a pin says up to where the log is good: whatever its key
// has signed may be another's. [Policy.Open] applies it.
func (p *Policy) Closed(origin string) bool {
	return slices.ContainsFunc(p.pins.closed, func(b Body) bool { return b.Origin == origin })
}

// pastKey returns the past key that a signature line names, or nil.
func (p *pins) pastKey(ref keyRef) *pastKey {
	if i := slices.IndexFunc(p.past, func(k pastKey) bool { return k.key.ref() == ref }); i >= 0 {
		return &p.past[i]
	}
	return nil
}

// independent returns the cosignatures of c by others than the log's operator.
//
// SPEC: "the log's own lines never count", whatever name they go by.
func (p *Policy) independent(c *Checkpoint) []Cosignature {
	own := p.pins.operatorOf[c.Origin]
	if own == "" {
		return c.Cosignatures
	}
	return slices.DeleteFunc(slices.Clone(c.Cosignatures), func(s Cosignature) bool { return p.pins.operatorOf[s.Name] == own })
}

// checkClosed compares an opened checkpoint with where its log was closed.
func (p *Policy) checkClosed(c *Checkpoint) error {
	i := slices.IndexFunc(p.pins.closed, func(b Body) bool { return b.Origin == c.Origin })
	if i < 0 {
		return nil
	}
	// SPEC: one larger than size is refused, one of that size must have that
	// root, a smaller one counts only with its quorum.
	last := p.pins.closed[i]
	switch {
	case c.Size > last.Size:
		return fmt.Errorf("%w: %s is good up to size %d, and this is of size %d", ErrClosed, quote(c.Origin), last.Size, c.Size)
	case c.Size == last.Size && c.Root != last.Root:
		return fmt.Errorf("%w: %s has another root at size %d", ErrClosed, quote(c.Origin), last.Size)
	case c.Size < last.Size && !c.Witnessed:
		return fmt.Errorf("%w: %s, and nobody else vouches for size %d", ErrClosed, quote(c.Origin), c.Size)
	}
	return nil
}

// pinReader holds what has been read so far of a pins file.
type pinReader struct {
	lines
	policy *Policy // with the pins read so far
}

func (r *pinReader) read(keyword string, items []string) error {
	switch keyword {
	case "operator":
		return r.readOperator(items)
	case "close":
		return r.readClose(items)
	case "min-mapfn":
		return r.readMinMapFn(items)
	case "past":
		return r.readPast(items)
	}
	return r.fail("write operator, close, min-mapfn or past; a comment is a line of its own", "unknown keyword %s", quote(keyword))
}

// known says whether a name of the trust file is a log's or a witness's.
func (r *pinReader) known(name string) (log bool, err error) {
	_, log = r.policy.Log(name)
	witness := slices.ContainsFunc(r.policy.cosigners, func(c Cosigner) bool { return c.Name == name })
	switch {
	case log && witness:
		return false, r.fail("rename the witness in the trust file", "%s is both a log and a witness", quote(name))
	case !log && !witness:
		return false, r.fail("name an origin or a witness of the trust file", "unknown name %s", quote(name))
	}
	return log, nil
}

func (r *pinReader) readOperator(items []string) error {
	p := &r.policy.pins
	if len(items) < 2 {
		return r.fail(`write "operator <name> <origin or witness>..."`, "operator line with %d items", len(items))
	}
	o := operator{items[0], items[1:]}
	if len(p.operators) == MaxLines || len(o.name) > maxName {
		return r.fail("shorten it", "more than %d operators, or a name of more than %d bytes", MaxLines, maxName)
	}
	if slices.ContainsFunc(p.operators, func(other operator) bool { return other.name == o.name }) {
		return r.fail("write all its names on one line", "second line for operator %s", quote(o.name))
	}
	for _, name := range o.names {
		if _, err := r.known(name); err != nil {
			return err
		}
		if other, ok := p.operatorOf[name]; ok {
			return r.fail("remove it from one of them", "%s has operator %s already", quote(name), quote(other))
		}
		p.operatorOf[name] = o.name
	}
	p.operators = append(p.operators, o)
	return r.satisfiable()
}

// satisfiable refuses operators under which all cosigners together are not the
// quorum: nothing would ever be believed, and nobody would know why.
func (r *pinReader) satisfiable() error {
	p := r.policy
	for _, l := range p.logs {
		c := &Checkpoint{Body: Body{Origin: l.Origin}}
		for _, o := range p.cosigners {
			c.Cosignatures = append(c.Cosignatures, Cosignature{Name: o.Name, Unix: 1})
		}
		newest, _ := p.newest(p.independent(c), 1)
		if p.quorum != none && p.nodeTime(p.quorum, newest) == 0 {
			return r.fail("lower a threshold of the trust file, or list more witnesses",
				"the quorum cannot be satisfied for %s: it asks for more operators than there are", quote(l.Origin))
		}
	}
	return nil
}

func (r *pinReader) readClose(items []string) error {
	p := &r.policy.pins
	if len(items) != 3 {
		return r.fail(`write "close <origin> <size> <root>"`, "close line with %d items", len(items))
	}
	b, err := ParseBody(strings.Join(items, "\n") + "\n")
	if err != nil {
		return r.fail("copy origin, size and root of its last good checkpoint", "%v", err)
	}
	if _, ok := r.policy.Log(b.Origin); !ok {
		return r.fail("name an origin of the trust file, or remove the line", "unknown log %s", quote(b.Origin))
	}
	if slices.ContainsFunc(p.closed, func(other Body) bool { return other.Origin == b.Origin }) {
		return r.fail("keep one of them", "%s is closed already", quote(b.Origin))
	}
	p.closed = append(p.closed, b)
	return nil
}

func (r *pinReader) readMinMapFn(items []string) error {
	p := &r.policy.pins
	if len(items) != 1 || p.minMapFn != 0 {
		return r.fail(`write "min-mapfn <n>" once`, "min-mapfn line with %d items, or a second one", len(items))
	}
	n, err := decimal(items[0], 1<<16)
	if err != nil || n == 0 {
		return r.fail("write the number of a map function, from 1", "map function %s", quote(items[0]))
	}
	p.minMapFn = uint16(n)
	return nil
}

func (r *pinReader) readPast(items []string) error {
	p := &r.policy.pins
	if len(items) != 3 {
		return r.fail(`write "past <origin or witness> <vkey> <last timestamp>"`, "past line with %d items", len(items))
	}
	if len(p.past) == MaxLines {
		return r.fail("list fewer", "more than %d past keys", MaxLines)
	}
	log, err := r.known(items[0])
	if err != nil {
		return err
	}
	parse := ParseCosignerKey
	if log {
		parse = ParseLogKey
	}
	key, err := parse(items[1])
	if err != nil {
		return r.fail("copy the old vkey again", "past key: %v", err)
	}
	// SPEC: the name of a log's key is the origin.
	if log && key.Name != items[0] {
		return r.fail("name the key's own origin", "key of %s", quote(key.Name))
	}
	if r.taken(key) {
		return r.fail("a key is either used or past: remove one of the lines", "past key is listed elsewhere, under this name or another")
	}
	last, err := decimal(items[2], maxTime)
	if err != nil || last == 0 {
		return r.fail("write Unix seconds", "last timestamp %s", quote(items[2]))
	}
	p.past = append(p.past, pastKey{items[0], log, key, int64(last)})
	return nil
}

// taken reports whether a key, or one whose signature lines cannot be told from
// its, stands in the trust file or among the pins.
func (r *pinReader) taken(key Key) bool {
	same := func(o Key) bool { return o.Same(key) || o.ref() == key.ref() }
	for _, l := range r.policy.logs {
		if slices.ContainsFunc(l.Keys, func(k LogKey) bool { return same(k.Key) }) {
			return true
		}
	}
	return slices.ContainsFunc(r.policy.cosigners, func(c Cosigner) bool { return same(c.Key) }) ||
		slices.ContainsFunc(r.policy.pins.past, func(k pastKey) bool { return same(k.key) })
}
