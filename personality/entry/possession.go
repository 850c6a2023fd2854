package entry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/standing-log/standing/personality/reason"
)

// EnrolText returns the text that the key with id signs to prove possession
// when a party is enrolled. keyIDs are the ordinary keys', in any order.
func EnrolText(origin, name string, recovery Hash, keyIDs []Hash, id Hash) []byte {
	hexes := make([]string, len(keyIDs))
	for i, k := range keyIDs {
		hexes[i] = fmt.Sprintf("%x", k)
	}
	slices.Sort(hexes)
	return fmt.Appendf(nil, "standing/pop/v1\n%s\n%s\n%x\n%s\n%x\n", origin, name, recovery, strings.Join(hexes, ","), id)
}

// RecoveryText is EnrolText for a new recovery key of a party.
func RecoveryText(origin string, party, id Hash) []byte {
	return fmt.Appendf(nil, "standing/pop-recovery/v1\n%s\n%x\n%x\n", origin, party, id)
}

// AddText is EnrolText for an ordinary key added to a party.
func AddText(origin string, party, id Hash) []byte {
	return fmt.Appendf(nil, "standing/pop-add/v1\n%s\n%x\n%x\n", origin, party, id)
}

// verifyPossession checks every proof of possession inside the entry.
func (e *Entry) verifyPossession() error {
	switch {
	case e.Kind == KindKey && e.Key.Action == ActionAdd:
		return e.Key.Add.check(AddText(e.Key.Log, e.Key.Party, e.Subjects[0].ID))
	case e.Kind != KindParty || e.Party.Recovery == nil:
		return nil
	case e.Party.Action == ActionAmend:
		r := e.Party.Recovery
		return r.check(RecoveryText(e.Party.Log, e.Subjects[0].ID, r.Key.ID()))
	}
	p := e.Party
	var ids []Hash
	for _, k := range p.Keys {
		ids = append(ids, k.Key.ID())
	}
	for _, k := range append([]KeyProof{*p.Recovery}, p.Keys...) {
		if err := k.check(EnrolText(p.Log, p.Name, p.Recovery.Key.ID(), ids, k.Key.ID())); err != nil {
			return err
		}
	}
	return nil
}

func (k KeyProof) check(text []byte) error {
	if !k.Key.Verify(text, k.Pop) {
		return reason.Errorf(reason.Possession, "key %x does not prove possession for this log, name and set of keys", k.Key.ID())
	}
	return nil
}

// NewKeys returns the public keys that the entry brings into the log, if it has
// effect.
func (e *Entry) NewKeys() []PublicKey {
	var keys []PublicKey
	switch {
	case e.Kind == KindCharter:
		keys = append(append(keys, e.Charter.Registrars...), e.Charter.Roots...)
	case e.Kind == KindKey && e.Key.Add != nil:
		keys = append(keys, e.Key.Add.Key)
	case e.Kind == KindParty && e.Party.Recovery != nil:
		keys = append(keys, e.Party.Recovery.Key)
		for _, k := range e.Party.Keys {
			keys = append(keys, k.Key)
		}
	}
	return keys
}
