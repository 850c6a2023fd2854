package lint

import (
	"slices"
	"strings"
	"unicode"

	"github.com/standing-log/standing/personality/reason"
)

// checkName refuses party names that look like a natural person's; the package
// documentation has the rule.
func checkName(name string) error {
	if err := checkText(name, true); err != nil {
		return err
	}
	words := strings.FieldsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`,;/()"`, r) })
	if len(words) > 1 && slices.Contains(titles, fold(words[0])) && !slices.ContainsFunc(words, organisationWord) {
		return personName(name)
	}
	count := 0
	for _, word := range words {
		if slices.Contains(particles, word) {
			continue
		}
		if organisationWord(word) || !nameWord(word) {
			return nil
		}
		count++
	}
	if count == 2 || count == 3 {
		return personName(name)
	}
	return nil
}

func personName(name string) error {
	return reason.Errorf(reason.PersonalData,
		"%q looks like a person's name; parties are organisations: add the legal form, or a word such as Project", name)
}

// fold drops punctuation and case: "e.V." becomes "ev".
func fold(word string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, word))
}

func organisationWord(word string) bool {
	w := fold(word)
	if slices.Contains(organisations, w) {
		return true
	}
	return slices.ContainsFunc(endings, func(end string) bool { return strings.HasSuffix(w, end) })
}

// nameWord reports whether each part of word (cut at - and ') is a capital
// followed by small letters, Mc and Mac and initials included.
func nameWord(word string) bool {
	parts := strings.FieldsFunc(strings.TrimSuffix(word, "."), func(r rune) bool { return strings.ContainsRune("-'’", r) })
	for _, part := range parts {
		if rest, ok := strings.CutPrefix(part, "Mc"); ok && rest != "" {
			part = rest
		} else if rest, ok := strings.CutPrefix(part, "Mac"); ok && rest != "" && unicode.IsUpper([]rune(rest)[0]) {
			part = rest
		}
		for i, r := range []rune(part) {
			if i == 0 && !unicode.IsUpper(r) || i > 0 && !unicode.IsLower(r) && !unicode.Is(unicode.Mn, r) {
				return false
			}
		}
	}
	return len(parts) > 0
}

var (
	titles    = strings.Fields(`mr mrs ms miss mx dr prof professor herr frau sir mme mlle monsieur madame señor señora sig`)
	particles = strings.Fields(`van von de der den del della di da dos du la le el al bin ibn ter zu zum zur y e af av`)

	organisations = strings.Fields(`
		ab ag aps as asa asbl aisbl bv bvba cic co corp corporation company cv doo ead eeig eg eu ev gbr gie gmbh
		inc incorporated kft kg kgaa lda limited llc llp ltd lp mbh ngo nv ohg ooo oy oyj plc ry sa sarl sas sca
		scop sl slu snc spa spzoo sprl srl sro stichting ug vof vzw zrt
		academy administration agency alliance apache api archive association associates assoc authority bank board
		bureau bundesamt business center centre certification chamber club cloud code collaborative collective college
		commission committee commons community companies compiler components computing confederation conference
		consortium consulting cooperative coop core council databases data department developers development digital
		directorate distribution division electronics engine engineering enterprise enterprises european
		federation forum foundation framework free freies fund fundación fondation fondazione fundação gesellschaft
		global government group groupe gruppe guild hosting host hub industries industry informatics information
		infrastructure initiative innovation innovations institut institute institution integrator interest
		international internet kernel lab laboratory labs language league libraries library linux logistics maintainer
		maintainers manufacturer manufacturing media ministry monitor museum national net network networks office ohjelmisto
		online open openssl operator organisation organization parser partners party platform plc press programme
		program project projects public registrar registry research robotics runtime safety science security
		services service society software solutions source sovereign standards startup steward
		stewards stewardship stiftung studio studios sustainability system systems team tech technical technologies
		technology tools toolkit trade trust union united universität université university users vendor ventures
		verband verein village web werk werke widget widgets working works workshop world`)

	endings = strings.Fields(`foundation stiftung verein verband gesellschaft werke werk software soft systems labs tech
		works universität instituut institut institute agentur amt ministerium network networks ware hub code`)
)
