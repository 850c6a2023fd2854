package lint

import (
	"bytes"
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
	return walk(e.Payload)
}

// walk checks each string of a payload. The payload is strict JSON already, so
// its strings are found without parsing it again: every entry is looked at while
// its submitter waits.
func walk(payload []byte) error {
	name := ""
	for {
		start := bytes.IndexByte(payload, '"')
		if start < 0 {
			return nil
		}
		text, rest, err := cutString(payload[start:])
		switch {
		case err != nil:
			return err
		case bytes.HasPrefix(bytes.TrimLeft(rest, space), []byte(":")):
			name = text
			err = checkText(name, false)
		case string(bytes.Trim(payload[:start], space)) == ":":
			err = checkString(name, text)
		default:
			err = checkString("", text) // an item of an array
		}
		if err != nil {
			return err
		}
		payload = rest
	}
}

// cutString cuts the string off at whose opening quote b begins.
func cutString(b []byte) (text string, rest []byte, err error) {
	end, escaped := 1, false
	for ; end < len(b) && b[end] != '"'; end++ {
		if b[end] == '\\' {
			escaped = true
			end++
		}
	}
	if end >= len(b) {
		return "", nil, reason.Errorf(reason.JSONMalformed, "string without end")
	}
	if !escaped {
		return string(b[1:end]), b[end+1:], nil
	}
	plain, err := jsontext.AppendUnquote(nil, b[:end+1])
	if err != nil {
		return "", nil, reason.Errorf(reason.JSONMalformed, "%v", err)
	}
	return string(plain), b[end+1:], nil
}

// space is what JSON may have between tokens.
const space = " \t\r\n"

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

// checkText looks for addresses and telephone numbers. In free text, numbers
// without international prefix count too.
func checkText(s string, free bool) error {
	if plain, err := url.PathUnescape(s); err == nil {
		s = plain
	}
	if err := checkMail(s); err != nil {
		return err
	}
	// Most text has no +, and every entry is looked at while its submitter
	// waits: the expression is not asked in vain.
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

func checkMail(s string) error {
	if !strings.Contains(s, "@") {
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
	if _, err := netip.ParseAddr(host); err == nil {
		return reason.Errorf(reason.PersonalData, "link %q names an IP address", s)
	}
	dot := strings.LastIndexByte(host, '.')
	if dot < 0 || slices.Contains(privateDomains, host[dot+1:]) || allDigits(host[dot+1:]) {
		return reason.Errorf(reason.PersonalData, "link %q names a host of a private network", s)
	}
	return nil
}

var privateDomains = []string{"local", "localhost", "localdomain", "internal", "intranet", "lan", "corp", "home", "private", "arpa", "onion"}

func allDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsDigit(r) })
}
