package prefill

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/standing-log/standing/internal/lint"
)

// readFiles looks at files that are known by their names.
func readFiles(r *Repository) []finding {
	var out []finding
	out = append(out, readSecurity(r.tree)...)
	out = append(out, readLicence(r.tree)...)
	if f := r.tree.find(documents("CONTRIBUTING")...); f != nil {
		out = append(out, shows(f, "GV.01", "yes", ""), shows(f, "GV.02", "", "does it say what quality is asked for?"))
	}
	if f := r.tree.find(documents("README")...); f != nil {
		out = append(out, shows(f, "GV.03", "", "does it say how it is used, and for what?"))
	}
	if f := r.tree.find(lockFiles()...); f != nil {
		out = append(out, shows(f, "QA.01", "yes", ""))
	}
	if f := r.tree.find(documents("BUILDING", "BUILD", "INSTALL")...); f != nil {
		out = append(out, shows(f, "BR.01", "", "does it say how to build from source?"))
	}
	if f := r.tree.find(documents("CHANGELOG", "CHANGES", "NEWS", "HISTORY", "RELEASES")...); f != nil {
		out = append(out, shows(f, "BR.04", "", "does every release have an entry, and tell security changes?"))
	}
	return append(out, gitFindings(r.Git)...)
}

// shows is a finding about a file as such.
func shows(f *File, id, answer, note string) finding {
	return finding{id: id, answer: answer, where: f.Path + ":1", file: f, note: note}
}

func lockFiles() []string {
	return strings.Fields(`bom.json sbom.json bom.xml sbom.cdx.json sbom.spdx.json go.sum package-lock.json
		npm-shrinkwrap.json yarn.lock pnpm-lock.yaml Cargo.lock poetry.lock uv.lock pdm.lock Pipfile.lock
		Gemfile.lock composer.lock gradle.lockfile mix.lock pubspec.lock Package.resolved packages.lock.json conan.lock`)
}

// readSecurity reads SECURITY.md: that reporting is described, and a role's
// mailbox or a private form.
func readSecurity(t *tree) []finding {
	f := t.find(documents("SECURITY")...)
	if f == nil {
		return nil
	}
	out := []finding{shows(f, "x-SP.01", "", "more than how to report?")}
	if n := lineOf(f.text, reporting); n > 0 {
		out = append(out, finding{id: "QA.03", answer: "yes", where: fmt.Sprintf("%s:%d", f.Path, n), file: f})
	} else {
		out = append(out, shows(f, "QA.03", "", "does it say how to report a vulnerability?"))
	}
	if n := lineOf(f.text, supported); n > 0 {
		out = append(out, finding{id: "x-RC.01", where: fmt.Sprintf("%s:%d", f.Path, n), file: f, note: "does it give dates?"})
	}
	return append(out, securityContact(f)...)
}

var (
	reporting = regexp.MustCompile(`(?i)\b(report(ing|s|ed)?|disclos(e|ure|ing))\b`)
	supported = regexp.MustCompile(`(?i)\bsupported versions?\b`)
	mailbox   = regexp.MustCompile(`[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,4}`)
	advisory  = regexp.MustCompile(`https://[A-Za-z0-9._~/-]{1,150}/security/advisories/new\b`)
)

// lineOf returns the number of the first line that matches, 0 if none does.
func lineOf(text []byte, re *regexp.Regexp) int {
	loc := re.FindIndex(text)
	if loc == nil {
		return 0
	}
	return 1 + bytes.Count(text[:loc[0]], []byte("\n"))
}

func securityContact(f *File) []finding {
	personal := 0
	n := 0
	for line := range strings.Lines(string(f.text)) {
		n++
		where := fmt.Sprintf("%s:%d", f.Path, n)
		if link := advisory.FindString(line); link != "" {
			return []finding{{id: "VM.01", answer: "yes", where: where, link: link, note: "a private form"}}
		}
		for _, hit := range mailbox.FindAllString(line, -1) {
			if lint.CheckString(hit) == nil {
				return []finding{{id: "VM.01", answer: "yes", where: where, file: f, note: hit}}
			}
			if personal == 0 {
				personal = n
			}
		}
	}
	if personal == 0 {
		return nil
	}
	return []finding{personalContact(fmt.Sprintf("%s:%d", f.Path, personal))}
}

var spdx = regexp.MustCompile(`SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+() -]{1,120})`)

// readLicence finds the licence. Which one it is, is said only if its text does.
func readLicence(t *tree) []finding {
	f := t.find(documents("LICENSE", "LICENCE", "COPYING")...)
	if f == nil {
		return nil
	}
	out := shows(f, "LE.01", "", "does it cover everything, binaries and documentation too?")
	if m := spdx.FindSubmatch(f.text); m != nil {
		out.note = strings.TrimSpace(string(m[1])) + "; " + out.note
		out.where = fmt.Sprintf("%s:%d", f.Path, lineOf(f.text, spdx))
	}
	return []finding{out}
}

// gitFindings are what git's files say.
func gitFindings(g Git) (out []finding) {
	if g.Remote.Value != "" {
		out = append(out, finding{id: "QA.02", where: g.Remote.Where, link: g.Remote.Value, note: "is all of its history public?"})
	}
	if n := len(g.Tags); n > 0 {
		newest := g.Tags[n-1]
		out = append(out, finding{id: "BR.02", where: newest.Where, note: fmt.Sprintf("versions tagged: %d, up to %s; has every release its own?", n, newest.Name)})
	}
	return out
}
