package main

import (
	"encoding/base64"
	"strings"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

func parties() []step {
	const another = "another.example/log"
	return []step{
		again("enrol other", reason.KeySpent, "the same enrolment would be a second party with the same keys"),
		ignored("enrol by a party", reason.RoleNotAllowed, "who may enrol is a registrar, and nobody else", func(b *book) *entry.Entry {
			return testlog.NewParty("friend", 1).Enrol(origin, b.issuer.Keys[0])
		}),
		ignored("enrol by a root", reason.RoleNotAllowed, "a root key signs charters only", func(b *book) *entry.Entry {
			return testlog.NewParty("friend", 1).Enrol(origin, b.root)
		}),
		ignored("enrol for another log", reason.WrongLog, "an enrolment of another log, logged here by whoever has it", func(b *book) *entry.Entry {
			return testlog.NewParty("friend", 1).Enrol(another, b.registrar)
		}),
		ignored("enrol a known key", reason.KeySpent, "a key that is another party's already", func(b *book) *entry.Entry {
			p := testlog.NewParty("friend", 1)
			p.Keys[0] = b.other.Keys[0]
			return p.Enrol(origin, b.registrar)
		}),
		raw("enrol a victim's key", reason.Possession, "a registrar puts a recovery key of its own beside a victim's key: the proofs are over the whole set", func(b *book) []byte {
			p := testlog.NewParty("victim", 1)
			given := p.Enrol(origin, b.registrar).Party.Keys[0].Pop
			p.Recovery = newKey("registrar's own recovery")
			e := p.Enrol(origin, b.registrar) // as the victim would never prove it
			return edited(b.registrar, e, base64.StdEncoding.EncodeToString(e.Party.Keys[0].Pop), base64.StdEncoding.EncodeToString(given))
		}),
		raw("enrol a weak key", reason.KeyWeak, "a key of small order: one signature would verify for many messages, and its owner could disown", func(b *book) []byte {
			p := testlog.NewParty("weak", 1)
			weak := append(p.Keys[0].Public().SPKI()[:12:12], append([]byte{1}, make([]byte, 31)...)...)
			return edited(b.registrar, p.Enrol(origin, b.registrar), spki(p.Keys[0]), base64.StdEncoding.EncodeToString(weak))
		}),
		raw("enrol a key that is not canonical", reason.KeyWeak, "an encoding of a point that has another one too", func(b *book) []byte {
			p := testlog.NewParty("weak", 1)
			weak := append(p.Keys[0].Public().SPKI()[:12:12], append([]byte{0xee}, []byte(strings.Repeat("\xff", 30)+"\x7f")...)...)
			return edited(b.registrar, p.Enrol(origin, b.registrar), spki(p.Keys[0]), base64.StdEncoding.EncodeToString(weak))
		}),
		effect("amend roles", "a registrar changes a party's roles, after its last event", func(b *book) *entry.Entry {
			return testlog.AmendRoles(origin, b.issuer.ID, b.partyLast(b.issuer), b.registrar, "maintainer", "steward")
		}),
		again("amend roles", reason.AfterStale, "the party has changed since: after is not its last index any more"),
		ignored("amend roles, stale", reason.AfterStale, "an amendment that was signed before the last one", func(b *book) *entry.Entry {
			return testlog.AmendRoles(origin, b.issuer.ID, b.at("enrol issuer"), b.registrar, "user")
		}),
		ignored("amend roles by the party", reason.RoleNotAllowed, "roles are the registrar's", func(b *book) *entry.Entry {
			return testlog.AmendRoles(origin, b.issuer.ID, b.partyLast(b.issuer), b.issuer.Recovery, "authority")
		}),
		effect("amend website", "the recovery key changes the website", func(b *book) *entry.Entry {
			return testlog.AmendWebsite(origin, b.other.ID, b.partyLast(b.other), "https://new.example/", nil, b.other.Recovery)
		}),
		ignored("amend website by a registrar", reason.RoleNotAllowed, "a registrar speaks of roles only: else it speaks for every party", func(b *book) *entry.Entry {
			return testlog.AmendWebsite(origin, b.other.ID, b.partyLast(b.other), "https://fake.example/", nil, b.registrar)
		}),
		ignored("take over by a registrar", reason.RoleNotAllowed, "a registrar puts in a recovery key of its own", func(b *book) *entry.Entry {
			return testlog.AmendWebsite(origin, b.other.ID, b.partyLast(b.other), "", newKey("taken over"), b.registrar)
		}),
		ignored("take over by an ordinary key", reason.RoleNotAllowed, "who stole an ordinary key puts in a recovery key of his own", func(b *book) *entry.Entry {
			return testlog.AmendWebsite(origin, b.other.ID, b.partyLast(b.other), "", newKey("taken over"), b.other.Keys[0])
		}),
		effect("change recovery key", "the old recovery key is retired", func(b *book) *entry.Entry {
			return testlog.AmendWebsite(origin, b.other.ID, b.partyLast(b.other), "", newKey("recovery 2"), b.other.Recovery)
		}),
		again("change recovery key", reason.AfterStale, "the party has changed, and the signer is retired by itself"),
		ignored("former recovery key", reason.KeyNotActive, "the former recovery key signs nothing", func(b *book) *entry.Entry {
			return testlog.AmendWebsite(origin, b.other.ID, b.partyLast(b.other), "https://old.example/", nil, b.other.Recovery)
		}),
		ignored("a retired recovery key returns", reason.KeySpent, "a keyid seen in any role is spent", func(b *book) *entry.Entry {
			return testlog.AmendWebsite(origin, b.other.ID, b.partyLast(b.other), "", b.other.Recovery, newKey("recovery 2"))
		}),
		ignored("amend nobody", reason.TargetUnknown, "there is no such party", func(b *book) *entry.Entry {
			return testlog.AmendRoles(origin, entry.Hash{1}, 1, b.registrar, "user")
		}),
		sealed("seal of the parties"),
	}
}

func keyEvents() []step {
	return []step{
		effect("add key", "the recovery key adds an ordinary key, which proves possession", func(b *book) *entry.Entry {
			return testlog.AddKey(origin, b.issuer.ID, newKey("issuer 4"), b.issuer.Recovery)
		}),
		again("add key", reason.KeySpent, "the key is known"),
		effect("attest by the added key", "it signs at once", func(b *book) *entry.Entry {
			return b.attest(newKey("issuer 4"), "pkg:pypi/django@5.2.1")
		}),
		ignored("add key by an ordinary key", reason.RoleNotAllowed, "a thief of one key could take over the rest", func(b *book) *entry.Entry {
			return testlog.AddKey(origin, b.issuer.ID, newKey("thief"), b.issuer.Keys[0])
		}),
		ignored("add key by a registrar", reason.RoleNotAllowed, "a registrar could issue in every party's name", func(b *book) *entry.Entry {
			return testlog.AddKey(origin, b.issuer.ID, newKey("thief"), b.registrar)
		}),
		ignored("add another's recovery key", reason.KeySpent, "in whatever role, a known key is spent", func(b *book) *entry.Entry {
			return testlog.AddKey(origin, b.issuer.ID, b.operator.Recovery, b.issuer.Recovery)
		}),
		raw("add key proven for another party", reason.Possession, "the proof names the party", func(b *book) []byte {
			e := testlog.AddKey(origin, b.other.ID, newKey("thief"), b.issuer.Recovery)
			return edited(b.issuer.Recovery, e, hexOf(b.other.ID), hexOf(b.issuer.ID))
		}),
		effect("retire key", "a key retires itself", func(b *book) *entry.Entry { return retire(newKey("issuer 4"), newKey("issuer 4")) }),
		again("retire key", reason.TargetState, "it is retired"),
		ignored("retire key twice", reason.TargetState, "nor can the recovery key retire it again", func(b *book) *entry.Entry {
			return retire(newKey("issuer 4"), b.issuer.Recovery)
		}),
		ignored("attest by the retired key", reason.KeyNotActive, "a retired key issues nothing", func(b *book) *entry.Entry {
			return b.attest(newKey("issuer 4"), "pkg:pypi/django@5.2.2")
		}),
		ignored("retired key returns", reason.KeySpent, "a retired key never returns", func(b *book) *entry.Entry {
			return testlog.AddKey(origin, b.issuer.ID, newKey("issuer 4"), b.issuer.Recovery)
		}),
		ignored("retire another key of the party", reason.RoleNotAllowed, "a key ends itself only", func(b *book) *entry.Entry {
			return retire(b.issuer.Keys[1], b.issuer.Keys[0])
		}),
		ignored("retire a recovery key", reason.RoleNotAllowed, "only ordinary keys are retired", func(b *book) *entry.Entry {
			return retire(b.issuer.Recovery, b.issuer.Recovery)
		}),
		ignored("retire nobody's key", reason.TargetUnknown, "there is no such key", func(b *book) *entry.Entry {
			return retire(newKey("nobody"), b.issuer.Recovery)
		}),
		effect("compromise after retiring", "retired, then compromised by itself: from its own index on, which voids nothing", func(b *book) *entry.Entry {
			return compromise(newKey("issuer 4"), nil, newKey("issuer 4"))
		}),
	}
}

// thief is a story: somebody has a copy of an ordinary key.
func thief() []step {
	return []step{
		effect("attest lodash", "the owner's", func(b *book) *entry.Entry { return b.attest(b.issuer.Keys[2], "pkg:npm/lodash@4.17.21") }),
		effect("thief attests", "a key is stolen; nobody knows yet", func(b *book) *entry.Entry { return b.attest(b.issuer.Keys[2], "pkg:npm/webpack@5.101.0") }),
		effect("thief revokes", "withdrawals by the thief stand, whatever becomes of the key", func(b *book) *entry.Entry {
			return b.revoke(b.issuer.Keys[2], "attest express")
		}),
		ignored("thief voids the past", reason.Cutoff, "a key that declares itself compromised carries no cutoff: a thief could void all it ever signed", func(b *book) *entry.Entry {
			return compromise(b.issuer.Keys[2], ptr(uint64(0)), b.issuer.Keys[2])
		}),
		ignored("thief voids the past by a range", reason.RoleNotAllowed, "nor by a range", func(b *book) *entry.Entry {
			return voidRange(b.issuer.Keys[2], b.issuer.Keys[2], 0, b.index(), "")
		}),
		ignored("thief ends the other keys", reason.RoleNotAllowed, "nor anything about the other keys of the party", func(b *book) *entry.Entry {
			return compromise(b.issuer.Keys[0], nil, b.issuer.Keys[2])
		}),
		ignored("cutoff of the future", reason.Cutoff, "a cutoff is not beyond its own index", func(b *book) *entry.Entry {
			return compromise(b.issuer.Keys[2], ptr(b.index()+1), b.issuer.Recovery)
		}),
		effect("cutoff", "the recovery key voids what the key attested at or after the theft; the lists stay as they are: they hold no status", func(b *book) *entry.Entry {
			return compromise(b.issuer.Keys[2], ptr(b.at("thief attests")+1), b.issuer.Recovery)
		}),
		again("cutoff", reason.Cutoff, "only a lower cutoff changes anything"),
		effect("lower cutoff", "the theft was earlier", func(b *book) *entry.Entry {
			return compromise(b.issuer.Keys[2], ptr(b.at("thief attests")), b.issuer.Recovery)
		}),
		ignored("higher cutoff", reason.Cutoff, "key events are never undone", func(b *book) *entry.Entry {
			return compromise(b.issuer.Keys[2], ptr(b.at("thief attests")+1), b.issuer.Recovery)
		}),
		ignored("thief is too late", reason.KeyNotActive, "the key signs nothing any more", func(b *book) *entry.Entry {
			return b.revoke(b.issuer.Keys[2], "attest lodash")
		}),
		ignored("thief compromises again", reason.KeyNotActive, "not even its own end", func(b *book) *entry.Entry {
			return compromise(b.issuer.Keys[2], nil, b.issuer.Keys[2])
		}),
		ignored("retire a compromised key", reason.TargetState, "compromised is the last state", func(b *book) *entry.Entry {
			return retire(b.issuer.Keys[2], b.issuer.Recovery)
		}),
		sealed("seal after the theft"),
	}
}

func ranges() []step {
	return []step{
		effect("range", "the recovery key declares void what the key attested in a range of indexes", func(b *book) *entry.Entry {
			return voidRange(b.other.Keys[0], newKey("recovery 2"), 1, b.at("attest express by other")+1, "")
		}),
		again("range", reason.NoChange, "the record has it"),
		effect("range with package", "the same range, of one package: the withdrawal record tells readers to read the leaf", func(b *book) *entry.Entry {
			return voidRange(b.other.Keys[0], newKey("recovery 2"), 1, b.at("attest express by other")+1, "pkg:npm/express")
		}),
		effect("range of a compromised key", "its state stays as it is", func(b *book) *entry.Entry {
			return voidRange(b.issuer.Keys[2], b.issuer.Recovery, 0, b.at("attest lodash"), "")
		}),
		ignored("range of the future", reason.Cutoff, "a range does not end beyond its own index", func(b *book) *entry.Entry {
			return voidRange(b.other.Keys[0], newKey("recovery 2"), 1, b.index()+1, "")
		}),
		ignored("range by the key itself", reason.RoleNotAllowed, "a thief of one key could void what it signed", func(b *book) *entry.Entry {
			return voidRange(b.other.Keys[0], b.other.Keys[0], 1, 2, "")
		}),
		ignored("range by a registrar", reason.RoleNotAllowed, "nor a registrar", func(b *book) *entry.Entry {
			return voidRange(b.other.Keys[0], b.registrar, 1, 2, "")
		}),
		ignored("range by the former recovery key", reason.KeyNotActive, "only the present one", func(b *book) *entry.Entry {
			return voidRange(b.other.Keys[0], b.other.Recovery, 1, 2, "")
		}),
		raw("range the wrong way round", reason.MemberInvalid, "from is before to", func(b *book) []byte {
			return edited(newKey("recovery 2"), voidRange(b.other.Keys[0], newKey("recovery 2"), 1, 2, ""), `"to":2`, `"to":1`)
		}),
		raw("range of a version", reason.Purl, "its package is a purl without version", func(b *book) []byte {
			e := voidRange(b.other.Keys[0], newKey("recovery 2"), 1, 2, "pkg:npm/express")
			return edited(newKey("recovery 2"), e, `"pkg:npm/express"`, `"pkg:npm/express@4"`)
		}),
		sealed("seal after ranges"),
	}
}
