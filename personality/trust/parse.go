package trust

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Limits of a trust file. C2SP asks for at least 32 of each.
const (
	MaxSize  = 512 << 10 // bytes
	MaxLines = 64        // log lines, witness lines, group lines: of each
)

// ParseError says what is wrong with a trust file, or the pins beside it, and
// what to do about it.
type ParseError struct {
	File    string // "trust file" or "pins"
	Line    int    // counted from 1; 0 if it is about the whole file
	Problem string // what is wrong
	Next    string // the one next step
}

func (e *ParseError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", e.File, e.Problem, e.Next)
	}
	return fmt.Sprintf("%s, line %d: %s: %s", e.File, e.Line, e.Problem, e.Next)
}

// Parse reads a trust file (see the package documentation). The error is a
// *[ParseError].
func Parse(text []byte) (*Policy, error) {
	r := &reader{
		lines:  lines{file: "trust file"},
		policy: &Policy{quorum: none, byKey: make(map[keyRef]int)},
		names:  make(map[string]int),
		refs:   make(map[keyRef]bool),
	}
	if err := r.each(text, r.read); err != nil {
		return nil, err
	}
	// SPEC: "A policy file must include exactly one quorum line."
	if !r.quorum {
		return nil, r.fail(`end it with "quorum <name>", or "quorum none" to ask for no cosignature`, "no quorum line")
	}
	if q := r.policy.quorum; q != none {
		r.policy.markQuorum(q)
	}
	return r.policy, nil
}

// lines reads a file line by line, and knows where it is.
type lines struct {
	file string
	line int
}

func (l *lines) fail(next, problem string, args ...any) error {
	return &ParseError{File: l.file, Line: l.line, Problem: fmt.Sprintf(problem, args...), Next: next}
}

// each calls read with the items of every line that has some and is no comment.
func (l *lines) each(text []byte, read func(keyword string, items []string) error) error {
	if len(text) > MaxSize {
		return l.fail("shorten it", "larger than %d bytes", MaxSize)
	}
	for len(text) > 0 {
		l.line++
		line, rest, ended := bytes.Cut(text, []byte("\n"))
		items, err := l.items(line, ended)
		if err != nil {
			return err
		}
		if len(items) > 0 && items[0][0] != '#' {
			if err := read(items[0], items[1:]); err != nil {
				return err
			}
		}
		text = rest
	}
	l.line = 0
	return nil
}

func (l *lines) items(line []byte, ended bool) ([]string, error) {
	// SPEC: "the allowed octet values are 0x09 (tab), 0x0A (newline), 0x20-0x7E,
	// and 0x80-0xFF."
	if i := bytes.IndexFunc(line, func(c rune) bool { return c < 0x20 && c != '\t' || c == 0x7f }); i >= 0 {
		return nil, l.fail("remove it; lines end in a newline alone", "control character 0x%02x", line[i])
	}
	// SPEC: "each line is terminated by ASCII newline".
	if !ended {
		return nil, l.fail("end it with one", "last line has no newline: the file may be cut short")
	}
	// SPEC: whitespace is "sequences of ASCII space and tab characters *only*".
	return strings.FieldsFunc(string(line), func(c rune) bool { return c == ' ' || c == '\t' }), nil
}

// reader holds what has been read so far of a trust file.
type reader struct {
	lines
	policy  *Policy
	names   map[string]int // witness or group: index in policy.nodes
	refs    map[keyRef]bool
	logs    int
	groups  int
	logKeys []Key
	quorum  bool // a quorum line was seen
}

func (r *reader) read(keyword string, items []string) error {
	switch keyword {
	case "log":
		return r.readLog(items)
	case "witness":
		return r.readWitness(items)
	case "group":
		return r.readGroup(items)
	case "quorum":
		return r.readQuorum(items)
	}
	return r.fail("write log, witness, group or quorum; a comment is a line of its own", "unknown keyword %s", quote(keyword))
}

func (r *reader) readLog(items []string) error {
	if len(items) < 1 || len(items) > 2 {
		return r.fail(`write "log <vkey> [<url>]"`, "log line with %d items", len(items))
	}
	if r.logs++; r.logs > MaxLines {
		return r.fail("list fewer", "more than %d logs", MaxLines)
	}
	key, err := ParseLogKey(items[0])
	if err != nil {
		return r.fail("copy the log's vkey again", "log key: %v", err)
	}
	// SPEC: "multiple log lines with the same public key, are not allowed."
	if slices.ContainsFunc(r.logKeys, key.Same) {
		return r.fail("remove one of the lines", "duplicate log key, under this name or another")
	}
	if r.witnessHas(key) {
		return r.fail("give the witness a key of its own", "log key is also a witness's key")
	}
	if err := r.unambiguous(key); err != nil {
		return err
	}
	r.logKeys = append(r.logKeys, key)
	p, lk := r.policy, LogKey{Key: key, URL: optional(items, 1)}
	i := slices.IndexFunc(p.logs, func(l Log) bool { return l.Origin == key.Name })
	if i < 0 {
		p.logs = append(p.logs, Log{Origin: key.Name})
		i = len(p.logs) - 1
	}
	p.logs[i].Keys = append(p.logs[i].Keys, lk)
	return nil
}

func (r *reader) readWitness(items []string) error {
	if len(items) < 2 || len(items) > 3 {
		return r.fail(`write "witness <name> <vkey> [<url>]"`, "witness line with %d items", len(items))
	}
	p := r.policy
	if len(p.cosigners) == MaxLines {
		return r.fail("list fewer", "more than %d witnesses", MaxLines)
	}
	key, err := ParseCosignerKey(items[1])
	if err != nil {
		return r.fail("copy the witness's vkey again", "witness key: %v", err)
	}
	// SPEC: "multiple witness lines with the same public key, are not allowed."
	if r.witnessHas(key) {
		return r.fail("remove one of the lines", "duplicate witness key, under this name or another")
	}
	if slices.ContainsFunc(r.logKeys, key.Same) {
		return r.fail("give the witness a key of its own", "witness key is also a log's key")
	}
	if err := r.define(items[0], node{cosigner: len(p.cosigners)}); err != nil {
		return err
	}
	if err := r.unambiguous(key); err != nil {
		return err
	}
	p.byKey[key.ref()] = len(p.cosigners)
	p.cosigners = append(p.cosigners, Cosigner{Name: items[0], Key: key, URL: optional(items, 2)})
	return nil
}

func (r *reader) witnessHas(key Key) bool {
	return slices.ContainsFunc(r.policy.cosigners, func(c Cosigner) bool { return c.Key.Same(key) })
}

// unambiguous refuses a key whose signature lines cannot be told from those of
// a key above. Key IDs have 32 bits, so whoever chooses a key can aim at one.
func (r *reader) unambiguous(key Key) error {
	if r.refs[key.ref()] {
		return r.fail("ask its operator for another key", "key name and key id are those of another key")
	}
	r.refs[key.ref()] = true
	return nil
}

func (r *reader) readGroup(items []string) error {
	// SPEC: "At least one member must be listed (i.e., n >= 1)."
	if len(items) < 3 {
		return r.fail(`write "group <name> all|any|<k> <name>..."`, "group line with %d items", len(items))
	}
	if r.groups++; r.groups > MaxLines {
		return r.fail("use fewer", "more than %d groups", MaxLines)
	}
	name, members := items[0], items[2:]
	k, err := threshold(items[1], len(members))
	if err != nil {
		return r.fail(fmt.Sprintf("write any, all, or a number from 1 to %d", len(members)), "%v", err)
	}
	g := node{cosigner: none, k: k}
	for _, m := range members {
		i, err := r.resolve(m)
		if err != nil {
			return err
		}
		// SPEC: "Each defined name can be listed as a group member at most once."
		if r.policy.nodes[i].used {
			return r.fail("list it once only", "%s is a member of a group already", quote(m))
		}
		r.policy.nodes[i].used = true
		g.members = append(g.members, i)
	}
	return r.define(name, g)
}

func threshold(s string, n int) (int, error) {
	switch s {
	case "any":
		return 1, nil
	case "all":
		return n, nil
	}
	// SPEC: "If k is given numerically, it must be written in decimal, and it is
	// required that 1 <= k <= n."
	k, err := decimal(s, uint64(n)+1)
	if err != nil || k == 0 {
		return 0, fmt.Errorf("threshold %s of %d members", quote(s), n)
	}
	return int(k), nil
}

func (r *reader) readQuorum(items []string) error {
	if len(items) != 1 {
		return r.fail(`write "quorum <name>" or "quorum none"`, "quorum line with %d items", len(items))
	}
	if r.quorum {
		return r.fail("keep one of them", "second quorum line")
	}
	r.quorum = true
	if items[0] == "none" {
		return nil
	}
	i, err := r.resolve(items[0])
	if err == nil {
		r.policy.quorum = i
	}
	return err
}

// resolve finds a name that a line above defined.
func (r *reader) resolve(name string) (int, error) {
	// SPEC: "The special name none is predefined; [...] it is invalid as a group
	// member." define refuses it, so it is never found here.
	i, ok := r.names[name]
	if !ok {
		return 0, r.fail("define it on a line above", "unknown name %s", quote(name))
	}
	return i, nil
}

func (r *reader) define(name string, n node) error {
	if name == "none" || len(name) > maxName {
		return r.fail(fmt.Sprintf("choose another of at most %d bytes", maxName), "name %s cannot be defined", quote(name))
	}
	if _, ok := r.names[name]; ok {
		return r.fail("choose another; witnesses and groups share one name space", "duplicate name %s", quote(name))
	}
	n.name = name
	r.names[name] = len(r.policy.nodes)
	r.policy.nodes = append(r.policy.nodes, n)
	return nil
}

func optional(items []string, i int) string {
	if i < len(items) {
		return items[i]
	}
	return ""
}
