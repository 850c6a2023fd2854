package main

import (
	"crypto/elliptic"
	"encoding/asn1"
	"math/big"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

func attestations() []step {
	return []step{
		effect("attest by P-256", "an ECDSA key", func(b *book) *entry.Entry { return b.attest(b.issuer.Keys[1], "pkg:cargo/serde@1.0.219") }),
		raw("attest by P-256, other signature", reason.NoChange, "another valid signature of the same statement, (r, n-s), is the same event", func(b *book) []byte {
			return otherSignature(b.entry("attest by P-256"))
		}),
		again("attest by P-256", reason.NoChange, "so is the same leaf"),
		effect("attest for two logs", "an attestation may be meant for several logs", func(b *book) *entry.Entry {
			return b.attestAs(b.issuer.Keys[0], func(a *entry.Attestation) { a.Logs = append(a.Logs, "another.example/log") }, "pkg:npm/semver@7.7.2")
		}),
		ignored("attest for another log", reason.WrongLog, "a log that is not named ignores it: what is revoked elsewhere would rise again here", func(b *book) *entry.Entry {
			return b.attestAs(b.issuer.Keys[0], func(a *entry.Attestation) { a.Logs = []string{"another.example/log"} }, "pkg:npm/semver@7.7.2")
		}),
		ignored("attest by a stranger", reason.KeyUnknown, "it is in the tree, with a perfect inclusion proof, and has no effect: inclusion alone is never standing", func(b *book) *entry.Entry {
			return b.attest(newKey("stranger"), "pkg:npm/semver@7.7.2")
		}),
		ignored("attest by a recovery key", reason.RoleNotAllowed, "only ordinary keys issue", func(b *book) *entry.Entry {
			return b.attest(b.issuer.Recovery, "pkg:npm/semver@7.7.2")
		}),
		ignored("attest by a registrar", reason.RoleNotAllowed, "nor a registrar", func(b *book) *entry.Entry {
			return b.attest(b.registrar, "pkg:npm/semver@7.7.2")
		}),
		effect("attest with other digests", "sha512 and gitCommit; two subjects of one version and package have one event in each list", func(b *book) *entry.Entry {
			long, git, lib := testlog.Component("pkg:npm/debug@4.4.1"), testlog.Component("pkg:npm/debug@4.4.1?arch=any"), testlog.Component("pkg:npm/debug@4.4.1#lib")
			long.Algorithm, long.Digest = "sha512", long.Digest+long.Digest
			git.Algorithm, git.Digest = "gitCommit", git.Digest[:40]
			return testlog.Attest(b.issuer.Keys[0], testlog.Claims(origin, start+b.index(), 1), long, git, lib)
		}),
		effect("attest a range", "a range has no artifact: it is listed under its package only", func(b *book) *entry.Entry {
			return b.attestAs(b.issuer.Keys[0], func(a *entry.Attestation) {
				a.Scopes = []entry.Scope{{Purl: "pkg:npm/debug", Vers: "vers:npm/>=4.0.0|<5.0.0"}}
			})
		}),
		effect("attest a document", "by its digest: the document is kept beside the log and can be deleted", func(b *book) *entry.Entry {
			return testlog.Attest(b.issuer.Keys[0], testlog.Statement(origin, start+b.index(), []byte("document")), testlog.Component("pkg:npm/undici@7.10.0"))
		}),
		effect("attest in private", `commits to the body "body", with a salt of 01 and 31 zero bytes`, func(b *book) *entry.Entry {
			k := b.issuer.Keys[0]
			return testlog.Attest(k, testlog.Private(origin, start+b.index(), k.ID(), entry.Hash{1}, []byte("body")), testlog.Component("pkg:npm/undici@7.10.0"))
		}),
		effect("copy a commitment", "has effect, as no log can see through it; but the commitment does not open under the copier's keyid", func(b *book) *entry.Entry {
			a := testlog.Private(origin, start+b.index(), b.issuer.Keys[0].ID(), entry.Hash{1}, []byte("body"))
			return testlog.Attest(b.other.Keys[0], a, testlog.Component("pkg:npm/undici@7.10.0"))
		}),
		sealed("seal of attestations"),
		effect("supersede", "the old one is superseded, with its successor", func(b *book) *entry.Entry {
			return b.supersede(b.issuer.Keys[0], "attest with other digests", "pkg:npm/debug@4.4.2")
		}),
		again("supersede", reason.NoChange, "the id is there"),
		ignored("supersede what is superseded", reason.Supersedes, "it no longer stands", func(b *book) *entry.Entry {
			return b.supersede(b.issuer.Keys[0], "attest with other digests", "pkg:npm/debug@4.4.3")
		}),
		ignored("supersede another's", reason.Supersedes, "nobody supersedes another party's", func(b *book) *entry.Entry {
			return b.supersede(b.other.Keys[0], "supersede", "pkg:npm/debug@4.4.3")
		}),
		ignored("supersede of another package", reason.Supersedes, "no package in common", func(b *book) *entry.Entry {
			return b.supersede(b.issuer.Keys[0], "supersede", "pkg:npm/debug2@4.4.3")
		}),
		ignored("supersede nothing", reason.Supersedes, "there is no such attestation", func(b *book) *entry.Entry {
			return b.attestAs(b.issuer.Keys[0], func(a *entry.Attestation) { a.Supersedes = &entry.Hash{1} }, "pkg:npm/debug@4.4.3")
		}),
		sealed("seal after superseding"),
	}
}

// otherSignature is e's leaf with the other ECDSA signature of its statement.
func otherSignature(e *entry.Entry) []byte {
	var sig struct{ R, S *big.Int }
	_, err := asn1.Unmarshal(e.Signature, &sig)
	must(err)
	sig.S.Sub(elliptic.P256().Params().N, sig.S)
	der, err := asn1.Marshal(sig)
	must(err)
	return testlog.Envelope(e.Payload, e.KeyID, der)
}

func withdrawals() []step {
	return []step{
		effect("hold", "after the attestation's last event", func(b *book) *entry.Entry { return b.hold(b.issuer.Keys[0], "attest by P-256") }),
		again("hold", reason.AfterStale, "it has changed since"),
		ignored("reinstate by another", reason.NotYours, "another party's attestation", func(b *book) *entry.Entry {
			return b.reinstate(b.other.Keys[0], "hold", "attest by P-256")
		}),
		effect("reinstate", "by another key of the party that placed the hold", func(b *book) *entry.Entry {
			return b.reinstate(b.issuer.Keys[1], "hold", "attest by P-256")
		}),
		again("reinstate", reason.HoldMismatch, "nothing is held"),
		effect("second hold", "another hold", func(b *book) *entry.Entry { return b.hold(b.issuer.Keys[0], "attest by P-256") }),
		raw("old reinstatement", reason.HoldMismatch, "the reinstatement of the first hold, logged again, does not lift the second", func(b *book) []byte {
			return b.leaves[b.at("reinstate")]
		}),
		raw("old hold", reason.AfterStale, "nor does the first hold come back", func(b *book) []byte { return b.leaves[b.at("hold")] }),
		effect("hold replaced", "the party replaces its own hold", func(b *book) *entry.Entry { return b.hold(b.issuer.Keys[1], "attest by P-256") }),
		ignored("reinstate the replaced hold", reason.HoldMismatch, "it names a hold that is not in force", func(b *book) *entry.Entry {
			return b.reinstate(b.issuer.Keys[1], "second hold", "attest by P-256")
		}),
		effect("supersede what is held", "by the party itself: the hold goes", func(b *book) *entry.Entry {
			return b.supersede(b.issuer.Keys[0], "attest by P-256", "pkg:cargo/serde@1.0.220")
		}),
		ignored("hold what is superseded", reason.TargetState, "a hold needs an active attestation", func(b *book) *entry.Entry {
			return b.hold(b.issuer.Keys[0], "attest by P-256")
		}),
		effect("revoke what is superseded", "revoked is the last state; the successor is kept", func(b *book) *entry.Entry {
			return b.revoke(b.issuer.Keys[0], "attest by P-256")
		}),
		again("revoke what is superseded", reason.TargetState, "nothing leaves revoked"),
		ignored("reinstate what is revoked", reason.HoldMismatch, "nor is it reinstated", func(b *book) *entry.Entry {
			return b.reinstate(b.issuer.Keys[0], "hold replaced", "attest by P-256")
		}),
		again("supersede what is held", reason.NoChange, "nor attested again"),
		ignored("revoke another's", reason.NotYours, "nobody withdraws another party's", func(b *book) *entry.Entry {
			return b.revoke(b.other.Keys[0], "attest for two logs")
		}),
		ignored("revoke by a recovery key", reason.RoleNotAllowed, "withdrawals are signed by ordinary keys", func(b *book) *entry.Entry {
			return b.revoke(b.issuer.Recovery, "attest for two logs")
		}),
		ignored("revoke by a registrar", reason.RoleNotAllowed, "a registrar speaks for nobody", func(b *book) *entry.Entry {
			return b.revoke(b.registrar, "attest for two logs")
		}),
		ignored("revoke for another log", reason.WrongLog, "a revocation of another log", func(b *book) *entry.Entry {
			return testlog.Revoke("another.example/log", 10, b.issuer.Keys[0], b.entry("attest for two logs").ID)
		}),
		ignored("revoke what nobody attested", reason.TargetUnknown, "what is ignored is not in the map", func(b *book) *entry.Entry {
			return b.revoke(b.issuer.Keys[0], "attest by a stranger")
		}),
		effect("hold two, one of them in vain", "each target is judged by itself: the superseded one stays as it is", func(b *book) *entry.Entry {
			return b.hold(b.issuer.Keys[0], "attest a range", "attest with other digests")
		}),
		ignored("reinstate another hold", reason.HoldMismatch, "a hold event that is of another attestation", func(b *book) *entry.Entry {
			return b.reinstate(b.issuer.Keys[0], "hold", "attest a range")
		}),
		sealed("seal after withdrawals"),
	}
}

func claimEvents() []step {
	return []step{
		effect("attest six claims", "claims that can be withdrawn one by one", func(b *book) *entry.Entry {
			return b.attestAs(b.issuer.Keys[0], func(a *entry.Attestation) { a.Claims = testlog.Claims(origin, start, 6).Claims }, "pkg:gem/rack@3.1.15")
		}),
		effect("withdraw a claim", "its state stays active", func(b *book) *entry.Entry {
			return b.claims(b.issuer.Keys[0], "attest six claims", "BR.02")
		}),
		again("withdraw a claim", reason.NoChange, "it is withdrawn"),
		effect("withdraw two claims", "the union", func(b *book) *entry.Entry {
			return b.claims(b.issuer.Keys[1], "attest six claims", "BR.01", "BR.02")
		}),
		ignored("withdraw no such claim", reason.ClaimUnknown, "the attestation does not answer it", func(b *book) *entry.Entry {
			return b.claims(b.issuer.Keys[0], "attest six claims", "BR.03", "QA.07")
		}),
		ignored("withdraw a claim of a document", reason.ClaimUnknown, "an attestation without claims has none", func(b *book) *entry.Entry {
			return b.claims(b.issuer.Keys[0], "attest a document", "BR.01")
		}),
		ignored("withdraw another's claim", reason.NotYours, "nobody withdraws another party's", func(b *book) *entry.Entry {
			return b.claims(b.other.Keys[0], "attest six claims", "BR.03")
		}),
		effect("hold with claims withdrawn", "what was withdrawn is kept", func(b *book) *entry.Entry { return b.hold(b.issuer.Keys[0], "attest six claims") }),
		effect("withdraw a claim while held", "the hold is kept", func(b *book) *entry.Entry {
			return b.claims(b.issuer.Keys[0], "attest six claims", "BR.03")
		}),
		effect("reinstate with claims withdrawn", "active again, without these claims", func(b *book) *entry.Entry {
			return b.reinstate(b.issuer.Keys[0], "hold with claims withdrawn", "attest six claims")
		}),
		ignored("withdraw a claim of what is revoked", reason.TargetState, "nothing is left to withdraw", func(b *book) *entry.Entry {
			return b.claims(b.issuer.Keys[0], "attest express", "BR.01")
		}),
		sealed("seal after claims"),
	}
}
