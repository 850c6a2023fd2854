package lint

import (
	"crypto/ed25519"
	"crypto/x509"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/purl"
	"github.com/standing-log/standing/personality/reason"
)

type signer struct{ key ed25519.PrivateKey }

func newSigner(b byte) signer {
	return signer{ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+b)), 32)))}
}

func (s signer) Public() entry.PublicKey {
	spki, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		panic(err)
	}
	k, err := entry.ParseKey(spki)
	if err != nil {
		panic(err)
	}
	return k
}

func (s signer) Sign(m []byte) ([]byte, error) { return ed25519.Sign(s.key, m), nil }

func sign(t *testing.T, p entry.Predicate, subjects ...entry.Subject) *entry.Entry {
	t.Helper()
	return signPayload(t, entry.Payload(p, subjects...))
}

func signPayload(t *testing.T, payload []byte) *entry.Entry {
	t.Helper()
	e, err := entry.Sign(payload, newSigner(0))
	if err != nil {
		t.Fatalf("%v in %s", err, payload)
	}
	return e
}

const day = 24 * 60 * 60

var component = entry.Subject{Name: "pkg:golang/widgets.example/parse@v1.4.0", Algorithm: "sha256", Digest: strings.Repeat("ab", 32)}

func attestation() *entry.Attestation {
	return &entry.Attestation{
		Logs: []string{"log.example"}, Relation: "steward", Polarity: "positive", LegalBasis: "none",
		ValidFrom: 1_800_000_000, ValidUntil: 1_800_000_000 + 365*day,
		Claims: &entry.Claims{Catalogue: catalogue.LightName, Version: catalogue.LightVersion,
			Items: []entry.Claim{{ID: "VM.01", Answer: "yes", Link: "https://widgets.example/security"}}},
	}
}

func TestAttestation(t *testing.T) {
	tests := []struct {
		name string
		edit func(*entry.Attestation)
		want reason.Code
	}{
		{"as it should be", func(*entry.Attestation) {}, ""},
		{"five years, a leap day in them", func(a *entry.Attestation) { a.ValidUntil = a.ValidFrom + (5*365+1)*day }, ""},
		{"six years", func(a *entry.Attestation) { a.ValidUntil = a.ValidFrom + 6*365*day }, reason.Validity},
		{"a basis that does not exist", func(a *entry.Attestation) { a.LegalBasis = "art25-delegated-act" }, reason.LegalBasis},
		{"unknown catalogue", func(a *entry.Attestation) { a.Claims.Catalogue = "iso" }, reason.Catalogue},
		{"unknown version", func(a *entry.Attestation) { a.Claims.Version = "0.9" }, reason.Catalogue},
		{"unknown id", func(a *entry.Attestation) { a.Claims.Items[0].ID = "VM.99" }, reason.Catalogue},
		{"own point", func(a *entry.Attestation) { a.Claims.Items[0].ID = "x-SP.01" }, ""},
		{"address in a link", func(a *entry.Attestation) { a.Claims.Items[0].Link = "https://a.example/?to=jane.doe@a.example" }, reason.PersonalData},
		{"escaped address", func(a *entry.Attestation) { a.Claims.Items[0].Link = "https://a.example/jane%40a.example" }, reason.PersonalData},
		{"role mailbox", func(a *entry.Attestation) {
			a.Claims.Items[0].Link = "https://a.example/?to=product-security@a.example"
		}, ""},
		{"mailing list", func(a *entry.Attestation) {
			a.Claims.Items[0].Link = "https://lists.a.example/list/dev@lists.a.example/"
		}, ""},
		{"version in a link", func(a *entry.Attestation) { a.Claims.Items[0].Link = "https://cdn.example/jquery@3.6.0.min.js" }, ""},
		{"handle in a link", func(a *entry.Attestation) { a.Claims.Items[0].Link = "https://blog.example/@widgets/posts" }, ""},
		{"user in a link", func(a *entry.Attestation) { a.Claims.Items[0].Link = "https://jane@a.example/" }, reason.PersonalData},
		{"address of a machine", func(a *entry.Attestation) { a.Claims.Items[0].Link = "https://10.0.0.7/x" }, reason.PersonalData},
		{"IPv6", func(a *entry.Attestation) { a.Claims.Items[0].Link = "https://[::1]:8443/x" }, reason.PersonalData},
		{"private host", func(a *entry.Attestation) { a.Claims.Items[0].Link = "https://wiki.corp/x" }, reason.PersonalData},
		{"one label", func(a *entry.Attestation) { a.Claims.Items[0].Link = "https://wiki/x" }, reason.PersonalData},
		{"port", func(a *entry.Attestation) { a.Claims.Items[0].Link = "https://a.example:8443/x" }, ""},
		{"telephone in a link", func(a *entry.Attestation) { a.Claims.Items[0].Link = "https://a.example/?n=+4930-1234-567" }, reason.PersonalData},
		{"build metadata", func(a *entry.Attestation) {
			a.Claims.Items[0].Link = "https://a.example/foo-1.0+20240101123456.tgz"
		}, ""},
		{"issue number", func(a *entry.Attestation) { a.Claims.Items[0].Link = "https://a.example/issues/1234567890" }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := attestation()
			tt.edit(a)
			if err := Check(sign(t, a, component)); reason.CodeOf(err) != tt.want || (err == nil) != (tt.want == "") {
				t.Errorf("Check: %v, want code %q", err, tt.want)
			}
		})
	}
}

func TestExtensions(t *testing.T) {
	plain := string(entry.Payload(attestation(), component))
	for member, want := range map[string]reason.Code{
		`"x-note":"see the minutes of 2026-03-24"`: "",
		`"x-note":"ask jane.doe@a.example"`:        reason.PersonalData,
		`"x-note":"ask security@a.example"`:        "",
		`"x-note":"call 030/123 45 678"`:           reason.PersonalData,
		`"x-note":"call +49 30 1234567"`:           reason.PersonalData,
		`"x-jane.doe@a.example":"1"`:               reason.PersonalData,
	} {
		p := strings.Replace(plain, `"predicate":{`, `"predicate":{`+member+`,`, 1)
		if err := Check(signPayload(t, []byte(p))); reason.CodeOf(err) != want {
			t.Errorf("%s: %v, want code %q", member, err, want)
		}
	}
}

func TestPurlSubjects(t *testing.T) {
	for name, want := range map[string]reason.Code{
		"pkg:pypi/django_x@1.0":                             reason.PurlType,
		"pkg:pypi/django-x@1.0":                             "",
		"pkg:golang/github.com/BurntSushi/toml@v1.5.0":      reason.PurlType,
		"pkg:golang/github.com/burntsushi/toml@v1.5.0":      "",
		"pkg:npm/%40scope/name@1.0.0-beta.example":          "",
		"pkg:npm/parse@1.0.beta":                            "",
		"pkg:generic/jane%40a.example@1.0":                  reason.PersonalData,
		"pkg:generic/x@1.0?who=jane%40a.example":            reason.PersonalData,
		"pkg:generic/x@jane%40a.example":                    reason.PersonalData,
		"pkg:swift/name@1.0":                                reason.PurlType,
		"pkg:generic/x@1.0%2B20240101123456?file_name=y.gz": "",
	} {
		s := component
		s.Name = name
		if err := Check(sign(t, attestation(), s)); reason.CodeOf(err) != want {
			t.Errorf("%s: %v, want code %q", name, err, want)
		}
	}
}

func TestCanonicalPurl(t *testing.T) {
	tests := []struct {
		in, want string
		code     reason.Code
	}{
		{"pkg:pypi/Django_X@1.0", "pkg:pypi/django-x@1.0", ""},
		{"pkg:npm/@scope/name@1.0", "pkg:npm/%40scope/name@1.0", ""},
		{"pkg:golang/a.example/b@v1.0.0+incompatible", "pkg:golang/a.example/b@v1.0.0%2Bincompatible", ""},
		{"pkg:GitHub/Acme/Tool", "pkg:github/acme/tool", ""},
		{"pkg:generic/x@1.0?b=2&a=1#./y/", "", reason.Purl},
		{"pkg:deb/debian/curl@7.50!3", "pkg:deb/debian/curl@7.50!3", ""},
		{"not a purl", "", reason.Purl},
		{"pkg:vcpkg/a/b@1", "", reason.PurlType},
		{strings.Repeat("x", 5000), "", reason.Purl},
	}
	for _, tt := range tests {
		if got, err := CanonicalPurl(tt.in); got != tt.want || reason.CodeOf(err) != tt.code {
			t.Errorf("CanonicalPurl(%.40q) = %q, %v", tt.in, got, err)
		}
	}
}

func TestPartyName(t *testing.T) {
	person := strings.Split("Jane Doe|Max Mustermann|Erika Müller|Jean-Luc Picard|Seán O'Brien|John A. Smith|"+
		"Ludwig van Beethoven|Dr. Strange|Doe, Jane|Anna Maria Rossi|Åsa Öberg|Ian McKay|Mr JONES|J. Doe|Steward +49 30 1234567", "|")
	organisation := strings.Split("Widget Stewards|Example Foundation|Acme|Red Hat, Inc.|Jane Doe GmbH|openSUSE Project|"+
		"NumFOCUS Sponsored|The Document Foundation|Eclipse Foundation AISBL|Python Software Foundation|Verein Freier Software e.V.|"+
		"Softwarestiftung Nord|SUSE Linux|IBM Deutschland|Bundesamt für Sicherheit|curl project|The Very Long Name Here|"+
		"Debian|Project 42|株式会社 例|Steward One 1|Apache Software Foundation|7-Zip Team", "|")
	for _, name := range person {
		if err := checkName(name); reason.CodeOf(err) != reason.PersonalData {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range organisation {
		if err := checkName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestParty(t *testing.T) {
	ordinary, recovery := newSigner(1), newSigner(2)
	enrol := func(name string) *entry.Entry {
		prove := func(s signer) entry.KeyProof {
			id := s.Public().ID()
			pop, _ := s.Sign(entry.EnrolText("log.example", name, recovery.Public().ID(), []entry.Hash{ordinary.Public().ID()}, id))
			return entry.KeyProof{Key: s.Public(), Pop: pop}
		}
		r := prove(recovery)
		return sign(t, &entry.Party{Log: "log.example", Action: entry.ActionEnrol, Name: name, Website: "https://a.example",
			Roles: []string{"steward"}, Keys: []entry.KeyProof{prove(ordinary)}, Recovery: &r},
			entry.KeySubject(ordinary.Public().ID()), entry.KeySubject(recovery.Public().ID()))
	}
	if err := Check(enrol("Widget Stewards")); err != nil {
		t.Error(err)
	}
	if err := Check(enrol("Jane Doe")); reason.CodeOf(err) != reason.PersonalData {
		t.Errorf("person: %v", err)
	}
}

func TestRevocation(t *testing.T) {
	since := uint64(1_800_000_000)
	tests := []struct {
		name string
		r    entry.Revocation
		want reason.Code
	}{
		{"no reason", entry.Revocation{Action: entry.ActionRevoke}, ""},
		{"vulnerability without anything", entry.Revocation{Action: entry.ActionRevoke, Reason: 10}, reason.ReasonDetail},
		{"vulnerability without link", entry.Revocation{Action: entry.ActionRevoke, Reason: 10, Refs: []string{"CVE-2026-1"}}, reason.ReasonDetail},
		{"vulnerability", entry.Revocation{Action: entry.ActionRevoke, Reason: 10, Refs: []string{"CVE-2026-1"}, Link: "https://a.example/adv"}, ""},
		{"misstatement without since", entry.Revocation{Action: entry.ActionRevoke, Reason: 12, Refs: []string{"VM.01"}}, reason.ReasonDetail},
		{"misstatement", entry.Revocation{Action: entry.ActionRevoke, Reason: 12, Refs: []string{"VM.01"}, Since: &since}, ""},
		{"revoked for a hold", entry.Revocation{Action: entry.ActionRevoke, Reason: 17}, reason.ReasonDetail},
		{"hold", entry.Revocation{Action: entry.ActionHold, Reason: 17, Until: since, After: []uint64{1}}, ""},
		{"hold released by a hold", entry.Revocation{Action: entry.ActionHold, Reason: 18, Until: since, After: []uint64{1}}, reason.ReasonDetail},
		{"reinstated", entry.Revocation{Action: entry.ActionReinstate, Reason: 18}, ""},
		{"reinstated for a vulnerability", entry.Revocation{Action: entry.ActionReinstate, Reason: 10}, reason.ReasonDetail},
		{"claims", entry.Revocation{Action: entry.ActionClaims, Claims: []string{"VM.01"}}, ""},
		{"claims for misstatement without since", entry.Revocation{Action: entry.ActionClaims, Claims: []string{"VM.01"},
			Reason: 12, Refs: []string{"VM.01"}}, reason.ReasonDetail},
		{"claims for misstatement", entry.Revocation{Action: entry.ActionClaims, Claims: []string{"VM.01"},
			Reason: 12, Refs: []string{"VM.01"}, Since: &since}, ""},
		{"claims for a hold", entry.Revocation{Action: entry.ActionClaims, Claims: []string{"VM.01"}, Reason: 17}, reason.ReasonDetail},
		{"claims for the end of a hold", entry.Revocation{Action: entry.ActionClaims, Claims: []string{"VM.01"}, Reason: 18}, reason.ReasonDetail},
		{"claims for a reason of the future", entry.Revocation{Action: entry.ActionClaims, Claims: []string{"VM.01"}, Reason: 19}, reason.Catalogue},
		{"by the operator, vulnerability without anything", entry.Revocation{Action: entry.ActionRevoke, Programme: &entry.Hash{1}, Reason: 10}, reason.ReasonDetail},
		{"reason of the future", entry.Revocation{Action: entry.ActionRevoke, Reason: 200}, reason.Catalogue},
		{"private link", entry.Revocation{Action: entry.ActionRevoke, Link: "https://jane:pw@a.example/"}, reason.PersonalData},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.Log = "log.example"
			if err := Check(sign(t, &tt.r, entry.AttestationSubject(entry.Hash{1}))); reason.CodeOf(err) != tt.want || (err == nil) != (tt.want == "") {
				t.Errorf("Check: %v, want code %q", err, tt.want)
			}
		})
	}
}

func TestRange(t *testing.T) {
	tests := []struct {
		name string
		r    entry.KeyRange
		want reason.Code
	}{
		{"no reason", entry.KeyRange{}, ""},
		{"misstatement, which the range itself details", entry.KeyRange{Reason: 12}, ""},
		{"of a package", entry.KeyRange{Reason: 12, Package: "pkg:npm/%40scope/name"}, ""},
		{"hold", entry.KeyRange{Reason: 17}, reason.ReasonDetail},
		{"end of a hold", entry.KeyRange{Reason: 18}, reason.ReasonDetail},
		{"reason of the future", entry.KeyRange{Reason: 19}, reason.Catalogue},
		{"package against the rules of its type", entry.KeyRange{Package: "pkg:pypi/Django"}, reason.PurlType},
		{"package with an address", entry.KeyRange{Package: "pkg:generic/jane%40a.example"}, reason.PersonalData},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.To = 1
			e := sign(t, &entry.Key{Log: "log.example", Action: entry.ActionRange, Range: &tt.r}, entry.KeySubject(entry.Hash{1}))
			if err := Check(e); reason.CodeOf(err) != tt.want || (err == nil) != (tt.want == "") {
				t.Errorf("Check: %v, want code %q", err, tt.want)
			}
		})
	}
}

func TestProgramme(t *testing.T) {
	tests := []struct {
		name string
		edit func(*entry.Programme)
		want reason.Code
	}{
		{"as it should be", func(*entry.Programme) {}, ""},
		{"of every catalogue", func(p *entry.Programme) { p.Catalogues = []string{"cra-annex-i", "orc-template-lite", "osps-baseline"} }, ""},
		{"of a catalogue that is none", func(p *entry.Programme) { p.Catalogues = []string{"iso"} }, reason.Catalogue},
		{"of one that is a catalogue, and one that is none", func(p *entry.Programme) { p.Catalogues = append(p.Catalogues, "iso") }, reason.Catalogue},
		{"address in the link", func(p *entry.Programme) { p.Link = "https://a.example/?to=jane.doe@a.example" }, reason.PersonalData},
		{"role mailbox in the link", func(p *entry.Programme) { p.Link = "https://a.example/?to=security@a.example" }, ""},
		{"user in the link", func(p *entry.Programme) { p.Link = "https://jane@a.example/" }, reason.PersonalData},
		{"link of a private network", func(p *entry.Programme) { p.Link = "https://wiki.corp/rules" }, reason.PersonalData},
		{"telephone in the link", func(p *entry.Programme) { p.Link = "https://a.example/?n=+4930-1234-567" }, reason.PersonalData},
	}
	after := uint64(7)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &entry.Programme{Log: "log.example", Action: entry.ActionPublish, Link: "https://a.example/rules", MaxValidity: 365 * day,
				Catalogues: []string{catalogue.LightName}, Roles: []string{"steward"}, Members: []entry.Hash{{0x12}}}
			tt.edit(p)
			if err := Check(sign(t, p, entry.RulesSubject(p.Rules))); reason.CodeOf(err) != tt.want || (err == nil) != (tt.want == "") {
				t.Errorf("published: %v, want code %q", err, tt.want)
			}
			p.Action, p.After = entry.ActionAmend, &after
			if err := Check(sign(t, p, entry.ProgrammeSubject(entry.Hash{1}))); reason.CodeOf(err) != tt.want || (err == nil) != (tt.want == "") {
				t.Errorf("amended: %v, want code %q", err, tt.want)
			}
		})
	}
	end := &entry.Programme{Log: "log.example", Action: entry.ActionClose}
	if err := Check(sign(t, end, entry.ProgrammeSubject(entry.Hash{1}))); err != nil {
		t.Errorf("closed: %v", err)
	}
}

func TestTimes(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	at := uint64(now.Unix())
	hold := func(until uint64) *entry.Entry {
		return sign(t, &entry.Revocation{Log: "l", Action: entry.ActionHold, Reason: 17, Until: until, After: []uint64{1}},
			entry.AttestationSubject(entry.Hash{1}))
	}
	valid := func(from, until uint64) *entry.Entry {
		a := attestation()
		a.ValidFrom, a.ValidUntil = from, until
		return sign(t, a, component)
	}
	tests := []struct {
		name string
		e    *entry.Entry
		ok   bool
	}{
		{"valid", valid(at-day, at+day), true},
		{"expired", valid(at-2*day, at-day), false},
		{"expires now", valid(at-2*day, at), false},
		{"far away", valid(at+5*365*day, at+6*365*day), false},
		{"hold", hold(at + 90*day), true},
		{"hold too long", hold(at + 90*day + 1), false},
		{"hold past", hold(at), false},
	}
	for _, tt := range tests {
		err := CheckTimes(tt.e, now)
		if (err == nil) != tt.ok || err != nil && reason.CodeOf(err) != reason.Validity {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func FuzzCanonicalPurl(f *testing.F) {
	for _, s := range []string{"pkg:pypi/Django_X@1.0", "pkg:npm/@a/b@1", "pkg:generic/x@1?b=2&a=%2B#y/z", "pkg:a/%2F/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, err := CanonicalPurl(s)
		if err != nil {
			if reason.CodeOf(err) == "" {
				t.Errorf("%q: error without code: %v", s, err)
			}
			return
		}
		if _, err := purl.Parse(out); err != nil {
			t.Errorf("%q gives %v", s, err)
		}
		if again, err := CanonicalPurl(out); err != nil || again != out {
			t.Errorf("%q gives %q, then %q, %v", s, out, again, err)
		}
	})
}

// FuzzHasDomain: what is not looked at for want of a domain has no address, and if it
// is a purl, none of its parts has.
func FuzzHasDomain(f *testing.F) {
	for _, s := range []string{"a@1.2.3", "jane@doe.example", "pkg:npm/@a/b@1.0.0", "pkg:generic/a@b.example", "a@1@b.cd", "@1/é.éé"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if hasDomain(s) {
			return
		}
		if mail.MatchString(s) {
			t.Errorf("%q has an address", s)
		}
		u, err := packageurl.FromString(s)
		if err != nil || strings.Contains(s, "%") {
			return
		}
		for _, part := range append([]string{u.Namespace, u.Name, u.Version, u.Subpath}, slices.Collect(maps.Values(u.Qualifiers.Map()))...) {
			if mail.MatchString(part) {
				t.Errorf("%q has an address in %q", s, part)
			}
		}
	})
}

// TestWalk finds every string with the member that it is, as a decoder does.
func TestWalk(t *testing.T) {
	for payload, want := range map[string]reason.Code{
		`{"a":"x"}`:                                 "",
		`{"x-n":"030/123 45 678"}`:                  reason.PersonalData,
		`{"n":"030/123 45 678"}`:                    "",
		"{\"x-n\"\n:\t\"030/123 45 678\"}":          reason.PersonalData,
		`{"x-n":1,"n":["030/123 45 678"]}`:          "",
		`{"x-n":["030/123 45 678"]}`:                "",
		`{"x-n":true,"n":"030/123 45 678"}`:         "",
		`{"n":{"x-n" : "030/123 45 678"}}`:          reason.PersonalData,
		`{"key":"jane.doe@a.example"}`:              "",
		`{"key":["jane.doe@a.example"]}`:            reason.PersonalData,
		`[{"pop":"x"},"jane.doe@a.example"]`:        reason.PersonalData,
		`{"a":"jane.doe\u0040a.example"}`:           reason.PersonalData,
		`{"a":"\"jane.doe@a.example"}`:              reason.PersonalData,
		`{"a":"\\","b":"jane.doe@a.example"}`:       reason.PersonalData,
		`{"a":"\\\"","key":"jane.doe@a.example"}`:   "",
		`{"jane.doe@a.example":1}`:                  reason.PersonalData,
		`{"jane.doe\u0040a.example":{"b":"c"}}`:     reason.PersonalData,
		`{"a":"b: \"x-n\": ","n":"030/123 45 678"}`: "",
	} {
		if err := walk(payload); reason.CodeOf(err) != want {
			t.Errorf("%s: %v, want code %q", payload, err, want)
		}
	}
}
