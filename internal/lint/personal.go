package lint

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
	packageurl "github.com/package-url/packageurl-go"

	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/reason"
)

// checkPersonal looks at every string of the payload.
func checkPersonal(e *entry.Entry) error {
	if e.Party != nil {
		if err := checkName(e.Party.Name); err != nil {
			return err
		}
	}
	return walk(e.Text)
}

// walk checks each string of a payload. The payload is strict JSON already, so
// its strings are found without parsing it again: every entry is looked at while
// its submitter waits.
func walk(payload string) error {
	name := "" // of the member whose value begins here; none in an array
	for {
		start := strings.IndexByte(payload, '"')
		if start < 0 {
			return nil
		}
		if start > 0 {
			name = ""
		}
		text, rest, err := cutString(payload[start:])
		if err != nil {
			return err
		}
		value, isName := strings.CutPrefix(skipSpace(rest), ":")
		if isName {
			name, rest = text, skipSpace(value)
			err = checkText(name, false)
		} else {
			err = checkString(name, text)
			name = ""
		}
		if err != nil {
			return err
		}
		payload = rest
	}
}

// cutString cuts the string off at whose opening quote s begins.
func cutString(s string) (text, rest string, err error) {
	end, escaped := 1, false
	for ; end < len(s) && s[end] != '"'; end++ {
		if s[end] == '\\' {
			escaped = true
			end++
		}
	}
	if end >= len(s) {
		return "", "", reason.Errorf(reason.JSONMalformed, "string without end")
	}
	if !escaped {
		return s[1:end], s[end+1:], nil
	}
	plain, err := jsontext.AppendUnquote(nil, s[:end+1])
	if err != nil {
		return "", "", reason.Errorf(reason.JSONMalformed, "%v", err)
	}
	return string(plain), s[end+1:], nil
}

// skipSpace skips what JSON may have between tokens.
func skipSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t' || s[0] == '\r' || s[0] == '\n') {
		s = s[1:]
	}
	return s
}

// CheckString applies the rules for personal data to a text or a link that is
// to become a member of a statement. Code: personal-data.
func CheckString(s string) error { return checkString("", s) }

func checkString(name, s string) error {
	switch {
	case strings.HasPrefix(s, "pkg:"):
		return checkPurlText(s)
	case name == "key" || name == "pop":
		return nil // base64 of keys and signatures
	case strings.HasPrefix(s, "https://"):
		if err := checkLink(s); err != nil {
			return err
		}
	}
	return checkText(s, strings.HasPrefix(name, "x-"))
}

// checkPurlText looks at the parts of a purl one by one: "name@version" as a
// whole would look like an address.
func checkPurlText(s string) error {
	if !strings.Contains(s, "%") && !hasDomain(s) {
		return nil // nor has a part of it one
	}
	u, err := packageurl.FromString(s)
	if err != nil {
		return checkMail(s)
	}
	parts := []string{u.Namespace, u.Name, u.Version, u.Subpath}
	for _, q := range u.Qualifiers {
		parts = append(parts, q.Value)
	}
	for _, part := range parts {
		if err := checkMail(part); err != nil {
			return err
		}
	}
	return nil
}

// suspect reports whether s has one of the characters without which it has neither
// address nor number. Most text has none, and every entry is looked at while its
// submitter waits: the expressions are not asked in vain.
func suspect(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '@' || c == '+' || c == '%' {
			return true
		}
	}
	return false
}

// checkText looks for addresses and telephone numbers. In free text, numbers
// without international prefix count too.
func checkText(s string, free bool) error {
	if !free && !suspect(s) {
		return nil
	}
	if plain, err := url.PathUnescape(s); err == nil {
		s = plain
	}
	if err := checkMail(s); err != nil {
		return err
	}
	if !free && !strings.Contains(s, "+") {
		return nil
	}
	pattern, least := phone, 9
	if free {
		pattern = freePhone
	}
	for _, hit := range pattern.FindAllString(s, -1) {
		if n := countDigits(hit); n >= least && n <= 15 {
			return reason.Errorf(reason.PersonalData, "%q looks like a telephone number", strings.TrimSpace(hit))
		}
	}
	return nil
}

var (
	// The local part has no % and no =, so that what an URL's query or a
	// percent sign leads in with is not taken for a part of it.
	mail    = regexp.MustCompile(`[A-Za-z0-9._+'\pL-]+@[A-Za-z0-9\pL](?:[A-Za-z0-9\pL.-]*[A-Za-z0-9\pL])?\.[A-Za-z\pL]{2,24}`)
	version = regexp.MustCompile(`^v?[0-9]+\.[0-9]`) // what follows the @ of jquery@3.6.0.min.js
	// A + inside a word or a version is build metadata.
	phone     = regexp.MustCompile(`(?:^|[^A-Za-z0-9.])\+[1-9](?:[ ()./-]{0,2}[0-9]){7,14}`)
	freePhone = regexp.MustCompile(`(?:^|[^A-Za-z0-9.])[+(]{0,2}[0-9]{2,5}(?:[ ()/-]{1,2}[0-9]{2,8}){1,6}`)
)

func countDigits(s string) (n int) {
	for _, r := range s {
		if '0' <= r && r <= '9' {
			n++
		}
	}
	return n
}

// hasDomain reports whether s has an @ with more behind it than digits and what
// stands between them in a version: only then can it have a mail address.
func hasDomain(s string) bool {
	_, behind, _ := strings.Cut(s, "@")
	return strings.Trim(behind, "0123456789.-_+@/") != ""
}

func checkMail(s string) error {
	if !hasDomain(s) {
		return nil
	}
	for _, hit := range mail.FindAllString(s, -1) {
		local, domain, _ := strings.Cut(hit, "@")
		if !version.MatchString(domain) && !roleMailbox(local) {
			return reason.Errorf(reason.PersonalData, "%q is not a role mailbox", hit)
		}
	}
	return nil
}

// roleMailbox reports whether every word of the local part is a role's.
func roleMailbox(local string) bool {
	words := strings.FieldsFunc(strings.ToLower(local), func(r rune) bool { return strings.ContainsRune("._+-", r) })
	for _, word := range words {
		if !slices.Contains(roles, word) {
			return false
		}
	}
	return len(words) > 0
}

var roles = strings.Fields(`
	abuse admin advisories advisory alert alerts announce bugs cert certificates cna coc community compliance
	conduct contact cra cve dev devel developers disclosure discuss feedback foundation git hello help helpdesk
	hostmaster incident incidents info it legal list lists maintainers no noc noreply office open opensource osint oss
	ospo postmaster press privacy product products project psirt registrar release releases report reports reply
	response responsible sales secalert secretariat secure security service sirt soc source stewards steward
	support team trust users vuln vulnerabilities vulnerability webmaster`)

// checkLink refuses links that name a user, an address or a private host.
func checkLink(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return reason.Errorf(reason.PersonalData, "link %q cannot be read", s)
	}
	if u.User != nil {
		return reason.Errorf(reason.PersonalData, "link %q names a user", s)
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	top := host[strings.LastIndexByte(host, '.')+1:]
	if strings.Contains(host, ":") || allDigits(top) {
		if _, err := netip.ParseAddr(host); err == nil {
			return reason.Errorf(reason.PersonalData, "link %q names an IP address", s)
		}
	}
	if top == host || slices.Contains(privateDomains, top) || allDigits(top) {
		return reason.Errorf(reason.PersonalData, "link %q names a host of a private network", s)
	}
	return nil
}

var privateDomains = []string{"local", "localhost", "localdomain", "internal", "intranet", "lan", "corp", "home", "private", "arpa", "onion"}

func allDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsDigit(r) })
}
