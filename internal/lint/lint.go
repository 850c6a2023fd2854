// Package lint holds a log's own rules of admission that need no state: what
// the map function would take, but what should not be logged.
//
// What is in a log cannot be taken out. So the rules here are applied twice:
// by `standing` before anything is signed, and by the log before anything is
// appended. They are heuristics where they concern persons. They are meant to
// catch mistakes, not liars: whoever wants to smuggle a name past them can, and
// the registrar and the issuer answer for what they sign.
//
//   - [Check] needs nothing but the entry.
//   - [CheckTimes] needs a clock as well.
//   - [CanonicalPurl] gives the spelling that Check asks for.
//   - [CheckString] says of one text beforehand what Check would say of it.
//
// # Personal data
//
// Every string of the payload is looked at, keys of extension members included,
// and percent-encoding is undone first. Refused, with code personal-data, are
//
//   - mail addresses, unless every word of the local part (cut at . _ + -) is
//     one of a list of roles: security@, psirt@, product-security@. A version
//     after a name, as in parse@v1.4.0 inside a purl, is not an address;
//   - telephone numbers in international form: +, then 9 to 15 digits, with or
//     without separators, not as part of a version or a word. In a party's name
//     and in extensions any run of 9 or more digits with separators counts;
//   - links that name a user (https://user@host), an IP address, or a host that
//     only a private network knows;
//   - party names that look like a natural person's: two or three words that
//     each look like a personal name (one capital, then small letters;
//     Anne-Marie, O'Brien, McKay and initials included; small particles such as
//     van or de do not count), none of which is or ends in a word of
//     organisations or a legal form (Foundation, Project, GmbH, -stiftung …); or
//     a name that begins with a title such as Mr or Dr. An organisation that is
//     hit, such as Red Hat, writes its legal form: Red Hat, Inc. Names of one
//     word, of four words or more, and in scripts without capitals are not
//     recognised.
//
// # Reasons
//
// A revocation, hold, reinstatement, withdrawal of claims or range of a key
// gives a known reason that goes with what it does; all but the range carry
// what the reason must be accompanied by (package catalogue).
//
// # Invariants
//
//   - Every error is a *reason.Error.
//   - Check is a function of the entry and of the catalogues compiled in.
package lint

import (
	"slices"
	"time"

	"github.com/standing-log/standing/personality/catalogue"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// Limits on periods.
const (
	MaxValidityYears = 5
	MaxHold          = 90 * 24 * time.Hour
)

// Check applies every rule that needs no clock. Codes: personal-data,
// purl-type-rule, reason-detail-missing, validity, legal-basis,
// catalogue-unknown.
func Check(e *entry.Entry) error {
	if err := checkKind(e); err != nil {
		return err
	}
	return checkPersonal(e)
}

func checkKind(e *entry.Entry) error {
	switch {
	case e.Attestation != nil:
		return checkAttestation(e)
	case e.Revocation != nil:
		return checkReason(e.Revocation)
	case e.Key != nil && e.Key.Range != nil:
		return checkRange(e.Key.Range)
	case e.Programme != nil:
		return checkCatalogues(e.Programme.Catalogues)
	}
	return nil
}

// checkCatalogues: claims under a programme are of a catalogue that can be
// logged.
func checkCatalogues(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(catalogue.Catalogues(), func(c catalogue.Catalogue) bool { return c.Name == name }) {
			return reason.Errorf(reason.Catalogue, "catalogue %q is not known", name)
		}
	}
	return nil
}

func checkAttestation(e *entry.Entry) error {
	a := e.Attestation
	// SPEC: legalBasis is a code; `none` today. No delegated act under
	// Article 25 exists that another could name.
	if a.LegalBasis != "none" {
		return reason.Errorf(reason.LegalBasis, "legalBasis is %q", a.LegalBasis)
	}
	if !withinYears(a.ValidFrom, a.ValidUntil) {
		return reason.Errorf(reason.Validity, "valid for more than %d years", MaxValidityYears)
	}
	for _, s := range e.Subjects {
		if err := checkPurl(s.Name); err != nil {
			return err
		}
	}
	return checkClaims(a.Claims)
}

// withinYears reports whether until is at most MaxValidityYears after from.
func withinYears(from, until uint64) bool {
	return until <= uint64(time.Unix(int64(from), 0).UTC().AddDate(MaxValidityYears, 0, 0).Unix())
}

func checkClaims(c *entry.Claims) error {
	if c == nil {
		return nil
	}
	list, ok := catalogue.Lookup(c.Catalogue, c.Version)
	if !ok {
		return reason.Errorf(reason.Catalogue, "catalogue %q, version %q", c.Catalogue, c.Version)
	}
	for _, item := range c.Items {
		if _, ok := list.Item(item.ID); !ok {
			return reason.Errorf(reason.Catalogue, "%q is not in %s %s", item.ID, c.Catalogue, c.Version)
		}
	}
	return nil
}

// checkRange holds a range against the table of reasons. It has no members for
// what a reason must be accompanied by: the key and the range say it.
func checkRange(r *entry.KeyRange) error {
	if _, err := reasonOf(entry.ActionRange, r.Reason); err != nil {
		return err
	}
	if r.Package == "" {
		return nil
	}
	return checkPurl(r.Package)
}

// reasonOf returns the row of a reason that may stand beside the action.
func reasonOf(action string, number uint8) (catalogue.Reason, error) {
	row, ok := catalogue.ReasonByNumber(number)
	switch {
	case !ok:
		return row, reason.Errorf(reason.Catalogue, "reason %d is not known", number)
	case !fits(action, number):
		return row, reason.Errorf(reason.ReasonDetail, "reason %s does not go with %s", row.Code, action)
	}
	return row, nil
}

// checkReason holds a revocation against the table of reasons.
func checkReason(r *entry.Revocation) error {
	row, err := reasonOf(r.Action, r.Reason)
	if err != nil {
		return err
	}
	missing := ""
	switch {
	case row.Refs && len(r.Refs) == 0:
		missing = "refs"
	case row.Link && r.Link == "":
		missing = "link"
	case row.Since && r.Since == nil:
		missing = "since"
	default:
		return nil
	}
	return reason.Errorf(reason.ReasonDetail, "%s needs %s: %s", row.Code, missing, row.Detail)
}

// fits reports whether the reason may stand beside the action: hold only with
// a hold; hold-released, or none, with a reinstatement.
func fits(action string, number uint8) bool {
	switch action {
	case entry.ActionReinstate:
		return number == catalogue.ReasonHoldReleased || number == 0
	case entry.ActionHold:
		return number != catalogue.ReasonHoldReleased
	}
	return number != catalogue.ReasonHold && number != catalogue.ReasonHoldReleased
}

// CheckTimes applies the rules that need a clock: validUntil lies in the
// future and at most 5 years ahead; a hold ends in the future and at most 90
// days ahead. Code: validity.
func CheckTimes(e *entry.Entry, now time.Time) error {
	t := uint64(max(now.Unix(), 0))
	if a := e.Attestation; a != nil {
		if a.ValidUntil <= t {
			return reason.Errorf(reason.Validity, "validUntil is past")
		}
		if !withinYears(t, a.ValidUntil) {
			return reason.Errorf(reason.Validity, "validUntil is more than %d years ahead", MaxValidityYears)
		}
	}
	if r := e.Revocation; r != nil && r.Action == entry.ActionHold {
		if r.Until <= t {
			return reason.Errorf(reason.Validity, "the hold's end is past")
		}
		if r.Until > t+uint64(MaxHold/time.Second) {
			return reason.Errorf(reason.Validity, "the hold ends more than 90 days ahead")
		}
	}
	return nil
}
