package trust

import (
	"fmt"
	"slices"
	"strings"
)

// Policy is a parsed trust file, with pins if [Policy.Pin] has added some. It is immutable and safe for concurrent use.
type Policy struct {
	logs      []Log
	cosigners []Cosigner
	nodes     []node         // witnesses and groups, in file order
	quorum    int            // index in nodes, or none
	byKey     map[keyRef]int // cosigner by key name and key ID
	pins      pins
}

const none = -1

// Log is an origin that the trust file lists.
type Log struct {
	// Origin is the name of all its Keys, and the first line of its
	// checkpoints.
	Origin string
	// Keys, at least one: a checkpoint is the log's if any of them signed it.
	Keys []LogKey
}

// LogKey is one log line.
type LogKey struct {
	Key
	// URL as written, or empty. Not checked: an offline reader has no use for it.
	URL string
}

// URL returns the first URL that the trust file gives for the log, or "".
func (l Log) URL() string {
	for _, k := range l.Keys {
		if k.URL != "" {
			return k.URL
		}
	}
	return ""
}

// Cosigner is one witness line: a witness, an auditor or a mirror.
type Cosigner struct {
	// Name within the trust file, opaque octets; it is not the key's name.
	Name string
	// Key verifies its cosignatures.
	Key Key
	// URL as written, or empty: where there is one, the submission prefix of
	// C2SP tlog-witness. Not checked.
	URL string
	// InQuorum says that the quorum names this cosigner, itself or through
	// groups. Cosignatures of others are reported and never counted.
	InQuorum bool
}

// node is a witness or a group.
type node struct {
	name     string
	cosigner int   // index in Policy.cosigners, or none for a group
	k        int   // members needed
	members  []int // indexes in Policy.nodes, all smaller than the group's own
	used     bool  // is a member of a group
}

// keyRef is how a signature line names its key.
type keyRef struct {
	name string
	id   uint32
}

func (k Key) ref() keyRef { return keyRef{k.Name, k.Verifier.KeyHash()} }

// Logs returns the logs in the order of the file, log lines of one origin
// together. It is empty for a policy whose logs are known otherwise; such a
// policy opens no checkpoint.
func (p *Policy) Logs() []Log {
	logs := slices.Clone(p.logs)
	for i := range logs {
		logs[i].Keys = slices.Clone(logs[i].Keys)
	}
	return logs
}

// Log returns the log with the given origin.
func (p *Policy) Log(origin string) (Log, bool) {
	i := slices.IndexFunc(p.logs, func(l Log) bool { return l.Origin == origin })
	if i < 0 {
		return Log{}, false
	}
	l := p.logs[i]
	l.Keys = slices.Clone(l.Keys)
	return l, true
}

// Cosigners returns the witness lines in the order of the file, those outside
// the quorum included.
func (p *Policy) Cosigners() []Cosigner { return slices.Clone(p.cosigners) }

// QuorumNone reports whether the trust file says "quorum none": it asks for no
// cosignature, so there is no quorum time.
func (p *Policy) QuorumNone() bool { return p.quorum == none }

// String returns the trust file in canonical form: log lines by origin, witness
// lines, group lines, the quorum line; single spaces, no comments.
func (p *Policy) String() string {
	var b strings.Builder
	for _, l := range p.logs {
		for _, k := range l.Keys {
			writeLine(&b, "log", k.Vkey, k.URL)
		}
	}
	for _, c := range p.cosigners {
		writeLine(&b, "witness", c.Name, c.Key.Vkey, c.URL)
	}
	for _, n := range p.nodes {
		if n.cosigner == none {
			writeLine(&b, append([]string{"group", n.name, n.threshold()}, p.names(n.members)...)...)
		}
	}
	quorum := "none"
	if p.quorum != none {
		quorum = p.nodes[p.quorum].name
	}
	writeLine(&b, "quorum", quorum)
	return b.String()
}

func writeLine(b *strings.Builder, items ...string) {
	if items[len(items)-1] == "" { // no URL
		items = items[:len(items)-1]
	}
	b.WriteString(strings.Join(items, " "))
	b.WriteByte('\n')
}

func (n node) threshold() string {
	switch n.k {
	case 1:
		return "any"
	case len(n.members):
		return "all"
	}
	return fmt.Sprint(n.k)
}

func (p *Policy) names(nodes []int) []string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = p.nodes[n].name
	}
	return names
}

// markQuorum sets InQuorum below node i. Members come before their group, so
// the recursion ends, and each node has one parent, so it visits each once.
func (p *Policy) markQuorum(i int) {
	if n := p.nodes[i]; n.cosigner != none {
		p.cosigners[n.cosigner].InQuorum = true
	} else {
		for _, m := range n.members {
			p.markQuorum(m)
		}
	}
}
