package mapfn_test

import (
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/mapfn"
	"github.com/standing-log/standing/personality/reason"
)

// partyAttests is what an attestation at index 4 writes besides, for a0's party.
const partyAttests = `
6 $a {"v":1,"state":"active","issued":1,"leaf":"$a.leaf","last":1,"recovery":"$aR","roles":["steward"],"keys":2,"count":3,"lastEvent":4,"root":"$list"} +1`

func TestAttest(t *testing.T) {
	by := func(k func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return s.attest(k(s), "pkg:npm/lodash@1") }
	}
	digest := func(purl string) string { return testlog.Component(purl).Digest }
	one := `{"v":1,"count":1,"last":4,"root":"$list"} +1`
	two := `{"v":1,"count":2,"last":4,"root":"$list"} +1`
	attested := func(k string) string {
		return `
1 $id {"v":1,"state":"active","issued":4,"leaf":"$leaf","last":4,"key":"$` + k + `"}`
	}
	scope := entry.Scope{Purl: "pkg:npm/lodash", Vers: "vers:npm/>=4.0.0|<5.0.0"}
	try(t, []rule{
		{"by an ordinary key", by(func(s *scene) *testlog.Key { return s.a0 }), "", attested("a0") + `
2 pkg:npm/lodash@1 ` + one + `
3 pkg:npm/lodash ` + one + `
4 sha256:` + digest("pkg:npm/lodash@1") + ` ` + one + partyAttests},
		{"by a P-256 key", by(func(s *scene) *testlog.Key { return s.a1 }), "", ""},
		{"by a key that was added", by(func(s *scene) *testlog.Key {
			k := s.key("a2")
			s.add("add", testlog.AddKey(origin, s.a.ID, k, s.aR))
			return k
		}), "", ""},
		{"by a recovery key", by(func(s *scene) *testlog.Key { return s.aR }), reason.RoleNotAllowed, ""},
		{"by a registrar", by(func(s *scene) *testlog.Key { return s.registrar }), reason.RoleNotAllowed, ""},
		{"by a root key", by(func(s *scene) *testlog.Key { return s.root }), reason.RoleNotAllowed, ""},
		{"about the same package again", func(s *scene) *entry.Entry {
			return s.attest(s.a0, "pkg:npm/express@4.22.2")
		}, "", attested("a0") + `
2 pkg:npm/express@4.22.2 ` + two + `
3 pkg:npm/express ` + two + `
4 sha256:` + digest("pkg:npm/express@4.22.2") + ` ` + two + partyAttests},
		{"about what another party attested", func(s *scene) *entry.Entry {
			return s.attest(s.b0, "pkg:npm/express@4.22.2")
		}, "", attested("b0") + `
2 pkg:npm/express@4.22.2 ` + two + `
3 pkg:npm/express ` + two + `
4 sha256:` + digest("pkg:npm/express@4.22.2") + ` ` + two + `
6 $b {"v":1,"state":"active","issued":2,"leaf":"$b.leaf","last":2,"recovery":"$bR","roles":["steward"],"keys":1,"count":2,"lastEvent":4,"root":"$list"} +1`},
		// Three subjects: two of one version, and two of one package.
		{"each list once", func(s *scene) *entry.Entry {
			same := testlog.Component("pkg:npm/lodash@1?arch=any")
			same.Digest = digest("pkg:npm/lodash@1")
			return testlog.Attest(s.a0, testlog.Claims(origin, from, 1),
				testlog.Component("pkg:npm/lodash@1"), same, testlog.Component("pkg:npm/lodash@2#lib"))
		}, "", attested("a0") + `
2 pkg:npm/lodash@1 ` + one + `
2 pkg:npm/lodash@2 ` + one + `
3 pkg:npm/lodash ` + one + sorted(`
4 sha256:`+digest("pkg:npm/lodash@1")+` `+one, `
4 sha256:`+digest("pkg:npm/lodash@2#lib")+` `+one) + partyAttests},
		{"other digests", func(s *scene) *entry.Entry {
			git, sha512 := testlog.Component("pkg:npm/lodash@1"), testlog.Component("pkg:npm/semver@1")
			git.Algorithm, git.Digest = "gitCommit", git.Digest[:40]
			sha512.Algorithm, sha512.Digest = "sha512", sha512.Digest+sha512.Digest
			return testlog.Attest(s.a0, testlog.Claims(origin, from, 1), git, sha512)
		}, "", attested("a0") + `
2 pkg:npm/lodash@1 ` + one + `
2 pkg:npm/semver@1 ` + one + `
3 pkg:npm/lodash ` + one + `
3 pkg:npm/semver ` + one + `
4 gitCommit:` + digest("pkg:npm/lodash@1")[:40] + ` ` + one + `
4 sha512:` + strings.Repeat(digest("pkg:npm/semver@1"), 2) + ` ` + one + partyAttests},
		{"about a range: its package only", func(s *scene) *entry.Entry {
			a := testlog.Claims(origin, from, 1)
			a.Scopes = []entry.Scope{scope}
			return testlog.Attest(s.a0, a, scope.Subject())
		}, "", attested("a0") + `
3 pkg:npm/lodash ` + one + partyAttests},
		{"about a range and a version of it", func(s *scene) *entry.Entry {
			a := testlog.Claims(origin, from, 1)
			a.Scopes = []entry.Scope{scope}
			return testlog.Attest(s.a0, a, scope.Subject(), testlog.Component("pkg:npm/lodash@1"))
		}, "", attested("a0") + `
2 pkg:npm/lodash@1 ` + one + `
3 pkg:npm/lodash ` + one + `
4 sha256:` + digest("pkg:npm/lodash@1") + ` ` + one + partyAttests},
		{"of a document", func(s *scene) *entry.Entry {
			return testlog.Attest(s.a0, testlog.Statement(origin, from, []byte("document")), testlog.Component("pkg:npm/lodash@1"))
		}, "", ""},
		{"in private", func(s *scene) *entry.Entry {
			a := testlog.Private(origin, from, s.a0.ID(), hash{1}, []byte("body"))
			return testlog.Attest(s.a0, a, testlog.Component("pkg:npm/lodash@1"))
		}, "", ""},
		{"once more", func(s *scene) *entry.Entry { return s.att }, reason.NoChange, ""},
		{"once more, revoked", func(s *scene) *entry.Entry {
			s.add("revoke", s.revoke(s.a0, s.att))
			return s.att
		}, reason.NoChange, ""},
		{"in a programme", func(s *scene) *entry.Entry {
			a := testlog.Claims(origin, from, 1)
			a.Programme = &s.a.ID
			return testlog.Attest(s.a0, a, testlog.Component("pkg:npm/lodash@1"))
		}, reason.Programme, ""},
	})
}

// sorted joins lines in order.
func sorted(a, b string) string {
	if a > b {
		a, b = b, a
	}
	return a + b
}

func TestSupersede(t *testing.T) {
	express := func(by func(*scene) *testlog.Key) func(*scene) *entry.Entry {
		return func(s *scene) *entry.Entry { return s.supersede(by(s), s.att.ID, "pkg:npm/express@5") }
	}
	a0 := func(s *scene) *testlog.Key { return s.a0 }
	lists := func(n, count string) string {
		return `
2 pkg:npm/express@5 {"v":1,"count":1,"last":` + n + `,"root":"$list"} +1
3 pkg:npm/express {"v":1,"count":2,"last":` + n + `,"root":"$list"} +1
4 sha256:` + testlog.Component("pkg:npm/express@5").Digest + ` {"v":1,"count":1,"last":` + n + `,"root":"$list"} +1
6 $a {"v":1,"state":"active","issued":1,"leaf":"$a.leaf","last":1,"recovery":"$aR","roles":["steward"],"keys":2,"count":` + count + `,"lastEvent":` + n + `,"root":"$list"} +1
w ` + n + ` kind 5 reason 0 flags 0000 $att from ` + n + ` to 0`
	}
	try(t, []rule{
		{"active", express(a0), "", `
1 $att {"v":1,"state":"superseded","issued":3,"leaf":"$att.leaf","last":4,"key":"$a0","successor":"$id"}
1 $id {"v":1,"state":"active","issued":4,"leaf":"$leaf","last":4,"key":"$a0"}` + lists("4", "3")},
		{"by another key of the party", express(func(s *scene) *testlog.Key { return s.a1 }), "", ""},
		{"of a retired key", express(func(s *scene) *testlog.Key {
			s.add("retire", testlog.RetireKey(origin, s.a0.ID(), s.a0))
			return s.a1
		}), "", ""},
		{"held by the party: the hold goes", express(func(s *scene) *testlog.Key {
			s.add("hold", s.hold(s.a1, s.att))
			return s.a0
		}), "", `
1 $att {"v":1,"state":"superseded","issued":3,"leaf":"$att.leaf","last":5,"key":"$a0","successor":"$id"}
1 $id {"v":1,"state":"active","issued":5,"leaf":"$leaf","last":5,"key":"$a0"}` + lists("5", "3")},
		{"a scope of its package", func(s *scene) *entry.Entry {
			a := testlog.Claims(origin, from, 1)
			a.Supersedes, a.Scopes = &s.att.ID, []entry.Scope{{Purl: "pkg:npm/express"}}
			return testlog.Attest(s.a0, a, a.Scopes[0].Subject())
		}, "", ""},
		{"one of several packages", func(s *scene) *entry.Entry {
			old := s.add("old", s.attest(s.a0, "pkg:npm/lodash@1", "pkg:npm/semver@1"))
			return s.supersede(s.a0, old.ID, "pkg:npm/semver@2")
		}, "", ""},
		{"another party's", express(func(s *scene) *testlog.Key { return s.b0 }), reason.Supersedes, ""},
		{"another package's", func(s *scene) *entry.Entry {
			return s.supersede(s.a0, s.att.ID, "pkg:npm/express2@5")
		}, reason.Supersedes, ""},
		{"what nobody attested", func(s *scene) *entry.Entry {
			return s.supersede(s.a0, s.a.ID, "pkg:npm/express@5")
		}, reason.Supersedes, ""},
		{"revoked", express(func(s *scene) *testlog.Key {
			s.add("revoke", s.revoke(s.a0, s.att))
			return s.a0
		}), reason.Supersedes, ""},
		{"superseded", func(s *scene) *entry.Entry {
			s.add("first", s.supersede(s.a0, s.att.ID, "pkg:npm/express@5"))
			return s.supersede(s.a0, s.att.ID, "pkg:npm/express@6")
		}, reason.Supersedes, ""},
		{"the successor in turn", func(s *scene) *entry.Entry {
			first := s.add("first", s.supersede(s.a0, s.att.ID, "pkg:npm/express@5"))
			return s.supersede(s.a0, first.ID, "pkg:npm/express@6")
		}, "", ""},
	})
}

// TestSuccessorStays: once superseded, an attestation can only be revoked,
// and keeps its successor.
func TestSuccessorStays(t *testing.T) {
	s := newScene(t)
	s.add("next", s.supersede(s.a0, s.att.ID, "pkg:npm/express@5"))
	s.wantStep("hold", s.hold(s.a0, s.att).Leaf, reason.TargetState)
	s.wantStep("reinstate", s.reinstate(s.a0, s.att, s.att).Leaf, reason.HoldMismatch)
	s.add("revoke", s.revoke(s.a0, s.att))
	want := `{"v":1,"state":"revoked","reason":10,"issued":3,"leaf":"$att.leaf","last":7,"key":"$a0","successor":"$next"}`
	if got := s.record(mapfn.NSAttestation, s.att.ID[:]); got != want {
		t.Errorf("record %s, want %s", got, want)
	}
}
