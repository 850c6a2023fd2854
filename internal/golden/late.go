package main

import (
	"fmt"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
	"github.com/standing-log/standing/personality/seal"
)

func programmes() []step {
	return []step{
		effect("publish", "rules for two members, which are named", func(b *book) *entry.Entry {
			return b.programme(b.operator.Keys[0], "stewards-1", func(p *entry.Programme) {
				p.Members = []entry.Hash{b.issuer.ID, b.expelled.ID}
			})
		}),
		again("publish", reason.NoChange, "the same publication is there"),
		effect("publish for any", "rules under which anybody with the role may issue: the operator says so, not the issuer", func(b *book) *entry.Entry {
			return b.programme(b.operator.Keys[0], "open-1", nil)
		}),
		ignored("publish by a recovery key", reason.RoleNotAllowed, "an ordinary key publishes", func(b *book) *entry.Entry {
			return b.programme(b.operator.Recovery, "stewards-1", nil)
		}),
		effect("issue as a member", "a member named, of the role, in time, of the catalogue", func(b *book) *entry.Entry {
			return b.under(b.issuer.Keys[0], "publish", "pkg:hex/phoenix@1.7.21", nil)
		}),
		effect("issue as anybody", "not named, under rules for any", func(b *book) *entry.Entry {
			return b.under(b.other.Keys[0], "publish for any", "pkg:hex/phoenix@1.7.21", nil)
		}),
		ignored("issue as no member", reason.ProgRules, "nobody puts himself under a programme's name", func(b *book) *entry.Entry {
			return b.under(b.other.Keys[0], "publish", "pkg:hex/phoenix@1.7.21", nil)
		}),
		ignored("issue without the role", reason.ProgRules, "the operator has not the role its own rules ask for", func(b *book) *entry.Entry {
			return b.under(b.operator.Keys[0], "publish for any", "pkg:hex/phoenix@1.7.21", nil)
		}),
		ignored("issue for too long", reason.ProgRules, "longer valid than the rules allow", func(b *book) *entry.Entry {
			return b.under(b.issuer.Keys[0], "publish", "pkg:hex/phoenix@1.7.22", func(a *entry.Attestation) {
				a.ValidUntil = a.ValidFrom + 400*24*3600 + 1
			})
		}),
		ignored("issue of another catalogue", reason.ProgRules, "claims of a catalogue that the rules do not name", func(b *book) *entry.Entry {
			return b.under(b.issuer.Keys[0], "publish", "pkg:hex/phoenix@1.7.22", func(a *entry.Attestation) { a.Claims.Catalogue = "other" })
		}),
		ignored("issue under no programme", reason.Programme, "there is no such programme", func(b *book) *entry.Entry {
			return b.under(b.issuer.Keys[0], "attest express", "pkg:hex/phoenix@1.7.22", nil)
		}),
		effect("amend programme", "the newest rules: only the other party is a member now", func(b *book) *entry.Entry {
			return b.amendProgramme(b.operator.Keys[0], "publish", b.lastOf(mapfn.NSProgramme, "publish"), "stewards-2", func(p *entry.Programme) {
				p.Members = []entry.Hash{b.other.ID}
			})
		}),
		again("amend programme", reason.AfterStale, "it has changed since"),
		ignored("amend another's programme", reason.NotYourProg, "only its operator amends it", func(b *book) *entry.Entry {
			return b.amendProgramme(b.issuer.Keys[0], "publish", b.lastOf(mapfn.NSProgramme, "publish"), "stewards-3", nil)
		}),
		ignored("issue as a former member", reason.ProgRules, "the newest rules count", func(b *book) *entry.Entry {
			return b.under(b.issuer.Keys[0], "publish", "pkg:hex/phoenix@1.7.22", nil)
		}),
		effect("issue as a new member", "who was named by the amendment", func(b *book) *entry.Entry {
			return b.under(b.other.Keys[0], "publish", "pkg:hex/phoenix@1.7.22", nil)
		}),
		effect("operator withdraws a claim", "of what was issued under its programme", func(b *book) *entry.Entry {
			return b.asOperator(b.operator.Keys[0], "publish", entry.ActionClaims, func(r *entry.Revocation) { r.Claims = []string{"BR.01"} }, "issue as a new member")
		}),
		ignored("operator without the name", reason.NotYours, "an operator names the programme as which it acts", func(b *book) *entry.Entry {
			return b.revoke(b.operator.Keys[0], "issue as a new member")
		}),
		ignored("operator of another programme", reason.NotYours, "of what was issued under another programme", func(b *book) *entry.Entry {
			return b.asOperator(b.operator.Keys[0], "publish", entry.ActionRevoke, nil, "issue as anybody")
		}),
		ignored("not the operator", reason.NotYourProg, "who names a programme has to be its operator", func(b *book) *entry.Entry {
			return b.asOperator(b.issuer.Keys[0], "publish", entry.ActionRevoke, nil, "issue as a new member")
		}),
		sealed("seal of programmes"),
	}
}

// twoSuspensions is a story: the issuer and the operator both suspend.
func twoSuspensions() []step {
	return []step{
		effect("operator holds", "the operator suspends what a former member issued", func(b *book) *entry.Entry {
			return b.asOperator(b.operator.Keys[0], "publish", entry.ActionHold, nil, "issue as a member")
		}),
		ignored("issuer holds too", reason.TargetState, "only who placed a hold replaces it: a second one would hide the first", func(b *book) *entry.Entry {
			return b.hold(b.issuer.Keys[0], "issue as a member")
		}),
		ignored("issuer lifts the operator's hold", reason.HoldMismatch, "the hold is in force, and another party's", func(b *book) *entry.Entry {
			return b.reinstate(b.issuer.Keys[0], "operator holds", "issue as a member")
		}),
		ignored("issuer supersedes under the operator's hold", reason.Supersedes, "a way around the hold", func(b *book) *entry.Entry {
			return b.supersede(b.issuer.Keys[0], "issue as a member", "pkg:hex/phoenix@1.7.23")
		}),
		effect("operator lifts its hold", "who placed it lifts it", func(b *book) *entry.Entry {
			return b.asOperator(b.operator.Keys[0], "publish", entry.ActionReinstate, func(r *entry.Revocation) {
				r.Hold = b.entry("operator holds").ID
			}, "issue as a member")
		}),
		effect("issuer holds", "now the issuer suspends it", func(b *book) *entry.Entry { return b.hold(b.issuer.Keys[0], "issue as a member") }),
		ignored("operator lifts the issuer's hold", reason.HoldMismatch, "the other way round", func(b *book) *entry.Entry {
			return b.asOperator(b.operator.Keys[0], "publish", entry.ActionReinstate, func(r *entry.Revocation) {
				r.Hold = b.entry("issuer holds").ID
			}, "issue as a member")
		}),
		ignored("operator holds too", reason.TargetState, "it may revoke, not replace", func(b *book) *entry.Entry {
			return b.asOperator(b.operator.Keys[0], "publish", entry.ActionHold, nil, "issue as a member")
		}),
		effect("operator revokes", "what the issuer holds", func(b *book) *entry.Entry {
			return b.asOperator(b.operator.Keys[0], "publish", entry.ActionRevoke, nil, "issue as a member")
		}),
		ignored("close another's programme", reason.NotYourProg, "only its operator closes it", func(b *book) *entry.Entry {
			return b.closeProgramme(b.other.Keys[0], "publish")
		}),
		effect("close programme", "nothing leaves closed", func(b *book) *entry.Entry { return b.closeProgramme(b.operator.Keys[0], "publish") }),
		again("close programme", reason.ProgClosed, "it is closed"),
		raw("publish what is closed", reason.NoChange, "the publication, logged again, would open it", func(b *book) []byte { return b.leaves[b.at("publish")] }),
		ignored("issue under a closed programme", reason.ProgClosed, "nothing more is issued in its name", func(b *book) *entry.Entry {
			return b.under(b.other.Keys[0], "publish", "pkg:hex/phoenix@1.7.24", nil)
		}),
		ignored("operator of a closed programme", reason.ProgClosed, "nor withdrawn in its name", func(b *book) *entry.Entry {
			return b.asOperator(b.operator.Keys[0], "publish", entry.ActionRevoke, nil, "issue as a new member")
		}),
		sealed("seal after two suspensions"),
	}
}

// expulsion is a story: a party is ended against its will. It may withdraw,
// and nothing else: else expulsion would freeze a false claim as active.
func expulsion() []step {
	return []step{
		effect("attest before expulsion", "one", func(b *book) *entry.Entry { return b.attest(b.expelled.Keys[0], "pkg:composer/drupal/core@11.2.0") }),
		effect("attest more before expulsion", "another", func(b *book) *entry.Entry { return b.attest(b.expelled.Keys[1], "pkg:composer/drupal/core@11.2.1") }),
		effect("hold before expulsion", "a hold, which can never be lifted", func(b *book) *entry.Entry {
			return b.hold(b.expelled.Keys[0], "attest more before expulsion")
		}),
		ignored("expel by another party", reason.RoleNotAllowed, "a registrar ends a party, or its own recovery key", func(b *book) *entry.Entry {
			return testlog.EndParty(origin, b.expelled.ID, b.issuer.Recovery)
		}),
		effect("expel", "by a registrar: the party's record, and nothing else", func(b *book) *entry.Entry {
			return testlog.EndParty(origin, b.expelled.ID, b.registrar)
		}),
		again("expel", reason.PartyEnded, "it has ended"),
		ignored("expelled attests", reason.PartyEnded, "it issues nothing", func(b *book) *entry.Entry {
			return b.attest(b.expelled.Keys[0], "pkg:composer/drupal/core@11.2.2")
		}),
		ignored("expelled reinstates", reason.PartyEnded, "it reinstates nothing", func(b *book) *entry.Entry {
			return b.reinstate(b.expelled.Keys[0], "hold before expulsion", "attest more before expulsion")
		}),
		ignored("expelled adds a key", reason.PartyEnded, "it has no further keys", func(b *book) *entry.Entry {
			return testlog.AddKey(origin, b.expelled.ID, newKey("expelled 3"), b.expelled.Recovery)
		}),
		ignored("expelled amends itself", reason.PartyEnded, "nor another website", func(b *book) *entry.Entry {
			return testlog.AmendWebsite(origin, b.expelled.ID, b.partyLast(b.expelled), "https://new.example/", nil, b.expelled.Recovery)
		}),
		ignored("expelled publishes", reason.PartyEnded, "nor rules", func(b *book) *entry.Entry {
			return b.programme(b.expelled.Keys[0], "expelled-1", nil)
		}),
		effect("expelled withdraws a claim", "it still withdraws", func(b *book) *entry.Entry {
			return b.claims(b.expelled.Keys[0], "attest before expulsion", "BR.01")
		}),
		effect("expelled holds", "it still holds", func(b *book) *entry.Entry { return b.hold(b.expelled.Keys[1], "attest before expulsion") }),
		effect("expelled revokes", "it still revokes", func(b *book) *entry.Entry { return b.revoke(b.expelled.Keys[1], "attest more before expulsion") }),
		effect("expelled retires a key", "its keys still end", func(b *book) *entry.Entry { return retire(b.expelled.Keys[1], b.expelled.Keys[1]) }),
		effect("expelled declares a range void", "and are declared void", func(b *book) *entry.Entry {
			return voidRange(b.expelled.Keys[1], b.expelled.Recovery, b.at("attest more before expulsion"), b.index(), "")
		}),
		effect("expelled declares a cutoff", "all that it may still do", func(b *book) *entry.Entry {
			return compromise(b.expelled.Keys[1], ptr(b.at("attest more before expulsion")), b.expelled.Recovery)
		}),
		effect("end of itself", "a party ends itself by its recovery key", func(b *book) *entry.Entry {
			return testlog.EndParty(origin, b.operator.ID, b.operator.Recovery)
		}),
		ignored("close after the end", reason.PartyEnded, "a programme of an ended party stays as it is", func(b *book) *entry.Entry {
			return b.closeProgramme(b.operator.Keys[0], "publish for any")
		}),
		sealed("seal after expulsion"),
	}
}

// limits are reached: 32 keys, 16 ranges, 64 withdrawn claims.
func limits() []step {
	steps := []step{
		effect("enrol many", "a party with eight ordinary keys", func(b *book) *entry.Entry { return b.many.Enrol(origin, b.registrar) }),
	}
	for n := 9; n <= 32; n++ {
		name := fmt.Sprintf("many %d", n)
		steps = append(steps, effect("add key "+name, "up to 32 keys", func(b *book) *entry.Entry {
			return testlog.AddKey(origin, b.many.ID, newKey(name), b.many.Recovery)
		}))
		if n == 20 {
			steps = append(steps, effect("retire key "+name, "makes no room: 32 keys ever", func(b *book) *entry.Entry {
				return retire(newKey(name), b.many.Recovery)
			}))
		}
	}
	steps = append(steps, ignored("add key 33", reason.KeyLimit, "at most 32 ordinary keys a party, ever", func(b *book) *entry.Entry {
		return testlog.AddKey(origin, b.many.ID, newKey("many 33"), b.many.Recovery)
	}))
	for n := uint64(1); n <= 16; n++ {
		steps = append(steps, effect(fmt.Sprintf("range %d", n), "up to 16 ranges", func(b *book) *entry.Entry {
			return voidRange(b.many.Keys[0], b.many.Recovery, n, n+1, "")
		}))
	}
	return append(steps, ignored("range 17", reason.KeyLimit, "at most 16 ranges a key: declare it compromised", func(b *book) *entry.Entry {
		return voidRange(b.many.Keys[0], b.many.Recovery, 17, 18, "")
	}), effect("attest 65 claims", "more claims than can be withdrawn", func(b *book) *entry.Entry {
		return b.attestAs(b.many.Keys[0], func(a *entry.Attestation) { a.Claims.Items = claimItems(65) }, "pkg:generic/zlib@1.3.1")
	}), effect("withdraw 64 claims", "64 at a time", func(b *book) *entry.Entry {
		var ids []string
		for _, c := range claimItems(64) {
			ids = append(ids, c.ID)
		}
		return b.claims(b.many.Keys[0], "attest 65 claims", ids...)
	}), ignored("withdraw claim 65", reason.ClaimsLimit, "at most 64 withdrawn claims: revoke it", func(b *book) *entry.Entry {
		return b.claims(b.many.Keys[0], "attest 65 claims", claimItems(65)[64].ID)
	}), sealed("seal of limits"))
}

func claimItems(n int) []entry.Claim {
	var out []entry.Claim
	for i := range n {
		out = append(out, entry.Claim{ID: fmt.Sprintf("C.%02d", i), Answer: "yes"})
	}
	return out
}

func charters() []step {
	return []step{
		ignored("amend charter by a registrar", reason.RoleNotAllowed, "charters are signed by root keys", func(b *book) *entry.Entry {
			return b.charter(b.registrar, ptr(uint64(0)), keys(b.root, b.root2), keys(b.registrar), nil)
		}),
		ignored("amend charter by a new root", reason.KeyUnknown, "a root key that only this charter names", func(b *book) *entry.Entry {
			return b.charter(b.root3, ptr(uint64(0)), keys(b.root, b.root3), keys(b.registrar), nil)
		}),
		ignored("charter with a party's key", reason.CharterKeys, "a key that is a party's", func(b *book) *entry.Entry {
			return b.charter(b.root, ptr(uint64(0)), keys(b.root, b.root2), keys(b.issuer.Keys[0]), nil)
		}),
		ignored("charter with roles exchanged", reason.CharterKeys, "a root key becomes registrar", func(b *book) *entry.Entry {
			return b.charter(b.root, ptr(uint64(0)), keys(b.root), keys(b.root2), nil)
		}),
		raw("charter with a key in both roles", reason.CharterKeys, "root and registrar at once", func(b *book) []byte {
			return edited(b.root, b.charter(b.root, ptr(uint64(0)), keys(b.root), keys(b.registrar), nil), spki(b.registrar), spki(b.root))
		}),
		ignored("map function 3", reason.MapFunction, "functions come one after the other", func(b *book) *entry.Entry {
			return b.amendment(func(c *entry.Charter) { c.MapFn = 3 })
		}),
		effect("close the log", "issuance is closed, with a successor", func(b *book) *entry.Entry {
			return b.amendment(func(c *entry.Charter) { c.Issuance, c.Successor = "closed", "next.example/log" })
		}),
		again("close the log", reason.AfterStale, "the charter has changed since"),
		ignored("attest in a closed log", reason.IssuanceClosed, "no attestations", func(b *book) *entry.Entry {
			return b.attest(b.issuer.Keys[0], "pkg:npm/fastify@5.3.3")
		}),
		effect("revoke in a closed log", "withdrawals go on", func(b *book) *entry.Entry { return b.revoke(b.issuer.Keys[0], "attest a document") }),
		effect("key turnover", "root keys and registrars come and go; the log is open again", func(b *book) *entry.Entry {
			return b.charter(b.root, ptr(b.lastAt(mapfn.NSLog, nil)), keys(b.root, b.root3), keys(b.registrar2), nil)
		}),
		raw("close the log, late", reason.AfterStale, "the closing charter, logged again, does not close it", func(b *book) []byte { return b.leaves[b.at("close the log")] }),
		ignored("enrol by a retired registrar", reason.KeyNotActive, "the old registrar enrols nobody", func(b *book) *entry.Entry {
			return testlog.NewParty("late friend", 1).Enrol(origin, b.registrar)
		}),
		ignored("amend charter by a retired root", reason.KeyNotActive, "the old root key amends nothing", func(b *book) *entry.Entry {
			return b.charter(b.root2, ptr(b.lastAt(mapfn.NSLog, nil)), keys(b.root, b.root2), keys(b.registrar2), nil)
		}),
		ignored("retired root returns", reason.CharterKeys, "dropped keys never return", func(b *book) *entry.Entry {
			return b.charter(b.root, ptr(b.lastAt(mapfn.NSLog, nil)), keys(b.root, b.root2), keys(b.registrar2), nil)
		}),
		effect("enrol late", "by the new registrar", func(b *book) *entry.Entry { return b.late.Enrol(origin, b.registrar2) }),
		effect("attest late", "by the new party", func(b *book) *entry.Entry { return b.attest(b.late.Keys[0], "pkg:npm/fastify@5.3.3") }),
		effect("one root replaces the others", "known, watched, and answered by closing the log to readers", func(b *book) *entry.Entry {
			return b.charter(b.root3, ptr(b.lastAt(mapfn.NSLog, nil)), keys(b.root3), keys(b.registrar2), nil)
		}),
		sealed("seal after the charters"),
	}
}

// function2 ends what this map function says about the log.
func function2() []step {
	return []step{
		effect("map function 2", "in force for the leaves after it; this leaf is still read under function 1", func(b *book) *entry.Entry {
			return b.charter(b.root3, ptr(b.lastAt(mapfn.NSLog, nil)), keys(b.root3), keys(b.registrar2), func(c *entry.Charter) { c.MapFn = 2 })
		}),
		{name: "seal under function 2", why: "right in every line, 5 included; but what it says of is to be read under function 2: who does not know that stops here",
			make: func(b *book) []byte { return b.seal(func(*book, *seal.Seal) {}) }, is: isStop},
	}
}
