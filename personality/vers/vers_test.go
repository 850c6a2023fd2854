package vers_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/standing-log/standing/personality/vers"
)

func TestContains(t *testing.T) {
	for _, test := range []struct {
		in            string
		yes, no, open string // versions, separated by spaces: in it, out of it, undecided
	}{
		{"vers:npm/1.2.3", "1.2.3 v1.2.3 1.2.3+build", "1.2.4 1.2.3-rc.1", "1.2 1 latest ^1.2.3"},
		{"vers:npm/1.2.3|>=2.0.0|<5.0.0", "1.2.3 2.0.0 4.99.99 5.0.0-rc.1", "1.2.2 1.2.4 2.0.0-rc.1 5.0.0", "5"},
		{"vers:npm/>=1.0.0|!=1.5.0|<2.0.0", "1.0.0 1.4.9 1.5.1", "1.5.0 0.9.9 2.0.0", ""},
		{"vers:npm/<1.0.0|>=2.0.0|<3.0.0|>4.0.0", "0.1.0 2.0.0 4.0.1", "1.0.0 1.9.9 3.0.0 4.0.0", ""},
		{"vers:npm/<5.0.0|>=2.0.0|1.2.3", "1.2.3 2.0.0", "1.0.0 5.0.0", ""},
		{"vers:npm/<=4.17.21", "4.17.21 4.17.3 0.0.0", "4.17.22", "4.17"},
		{"vers:npm/>4.17.21", "4.17.22 10.0.0", "4.17.21 4.9.30", ""},
		{"vers:npm/*", "1.0.0 anything", "", ""},
		{"vers:npm/!=1.2.3", "", "1.2.3 1.2.3+x", "1.2.4"},
		{"vers:npm/!=1.2.3|1.2.4", "1.2.4", "1.2.3 1.2.5", ""},
		{"vers:semver/>=1.0.0-alpha.1", "1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0", "1.0.0-alpha 1.0.0-1", "1.0.0-01 01.0.0 1.0"},
		{"vers:golang/>=v1.2.0|<v2.0.0", "v1.2.0 1.2.0 v1.3.0-0.20200101000000-abcdefabcdef", "v1.1.9 v2.0.0+incompatible", "v1.2 master"},
		{"vers:cargo/>=0.14.0|<0.15.0", "0.14.30", "0.15.0", "0.14"},
		{"vers:hex/>=1.1.0", "1.1.2", "1.0.9", "1.1"},
		{"vers:pypi/<=1.3.0|3.0.0", "1.0.0 1.3 1.3.0.0 3.0 0.0.0.1", "1.4 3.1 2", "not.a.version 1.0-"},
		{"vers:pypi/>=1.0.0|<2.0", "1.5 1.0 v1.0 1.0.post1 2.0rc1 1.0+local", "1.0rc1 0.9 2.0 2.0.0", ""},
		{"vers:pypi/>=3.0.0|2.0.3", "2.0.3 3.0.0", "2.0.4", ""},
		{"vers:pypi/0.0.2|0.0.6|>=3.0.0|0.0.1|0.0.4", "0.0.1 0.0.6 4", "2.0.3 0.0.3", ""},
		{"vers:pypi/>=1%211.0", "1!1.0 2!0", "5.0 2026.1", ""},
		{"vers:maven/>=9.4.0|<10", "9.4.18.v20190429 9.4 9.4.0.RELEASE 10-rc1 10.0.0-SNAPSHOT", "9.3.99 10 10.0.0 10.0.1", "RELEASE r09 10.0_x"},
		{"vers:maven/>=24.1.1-android|<24.1.1-jre", "24.1.1-android", "24.1.1-jre 24.1.1", "24.1.1+x"},
		{"vers:maven/1.2", "1.2 1.2.0 1.2-ga 1.2.Final", "1.2.1 1.2-sp", ""},
		{"vers:deb/>=1:2.0-1|<1:2.0-1+deb12u5", "1:2.0-1 1:2.0-1+deb12u4 1:2.0-1+b1", "1:2.0-1.1 2.5-1 1:2.0-1~bpo1 1:2.0-1+deb12u5 1:2.0-2", "v2.0 a:1 1:2.0-"},
		{"vers:generic/3.13.0|3.13.1", "3.13.0 3.13.1", "", "3.13.2 3.13"},
		{"vers:generic/>=3.0|!=3.1", "", "3.1", "3.0 3.2"},
		{"vers:exact/a%21b|c%2Fd", "a!b c/d", "", "a%21b"},
		{"vers:gem/*", "1.2.3", "", ""},
		{"vers:all/*", "1 x", "", ""},
		{"vers:none/*", "", "1 x", ""},
	} {
		r, err := vers.Parse(test.in)
		if err != nil {
			t.Error(err)
			continue
		}
		for i, list := range []string{test.yes, test.no, test.open} {
			for _, v := range strings.Fields(list) {
				in, err := r.Contains(v)
				if errors.Is(err, vers.ErrUndecided) != (i == 2) || in != (i == 0) {
					t.Errorf("%s contains %s: %v, %v", test.in, v, in, err)
				}
			}
		}
		all := strings.HasSuffix(test.in, "/*")
		if in, err := r.Contains(""); in != (all && test.yes != "") || errors.Is(err, vers.ErrUndecided) == all {
			t.Errorf("%s contains no version: %v, %v", test.in, in, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ in, says string }{
		{"", "begin"},
		{"npm/1.0.0", "begin"},
		{"vers:npm", "scheme"},
		{"vers:NPM/1.0.0", "scheme"},
		{"vers:/1.0.0", "scheme"},
		{"vers:1npm/1.0.0", "scheme"},
		{"vers:npm/", "without version"},
		{"vers:npm/|1.0.0", "without version"},
		{"vers:npm/1.0.0|", "without version"},
		{"vers:npm/1.0.0||2.0.0", "without version"},
		{"vers:npm/>=", "without version"},
		{"vers:npm/=1.0.0", "where a version"},
		{"vers:npm/1.*", "where a version"},
		{"vers:npm/*|1.0.0", "where a version"},
		{"vers:npm/1.0.0 ", "where a version"},
		{"vers:npm/1.0.0%2", "hex"},
		{"vers:npm/1.0.0%\x10\x10", "hex"},
		{"vers:npm/1.0.0%zz", "hex"},
		{"vers:all/1.0.0", "alone"},
		{"vers:none/>1", "alone"},
		{"vers:npm/>=1.2", "no version"},
		{"vers:npm/1.0.0|1.2", "no version"},
		{"vers:npm/1.0.0|1.0.0", "equal"},
		{"vers:npm/>=1.0.0|<1.0.0+x", "equal"},
		{"vers:pypi/>1.0|<=1.0.0", "equal"},
		{"vers:generic/1|1", "equal"},
		{"vers:npm/>=1.0.0|>=2.0.0", "bound"},
		{"vers:npm/>=1.0.0|!=1.5.0|>2.0.0", "bound"},
		{"vers:npm/<1.0.0|<2.0.0", "bound"},
		{"vers:npm/1.0.0|<2.0.0", "bound"},
		{"vers:npm/>=1.0.0|1.5.0|<2.0.0", "lies in"},
		{"vers:npm/>=1.0.0|1.5.0", "lies in"},
		{"vers:maven/>=1.0_a|<1.0_b", "ordered"},
		{"vers:maven/>=alpha", "no version"},
		{"vers:deb/>=a", "no version"},
		{"vers:npm/" + strings.Repeat("1", 512), "512"},
	} {
		if r, err := vers.Parse(test.in); !errors.Is(err, vers.ErrMalformed) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %+v, %v", test.in, r, err)
		}
	}
}

// TestOrder holds lists, smallest first, of versions that are equal or not
// against each other. Those of Semantic Versioning, PEP 440, Debian's policy
// and Maven's POM reference are the examples of their texts and tests.
func TestOrder(t *testing.T) {
	for scheme, list := range map[string]string{
		"semver": "1.0.0-alpha < 1.0.0-alpha.1 < 1.0.0-alpha.beta < 1.0.0-beta < 1.0.0-beta.2 < 1.0.0-beta.11 < 1.0.0-rc.1 < " +
			"1.0.0 = 1.0.0+20130313 = 1.0.0+x.y < 2.0.0 < 2.1.0 < 2.1.1 < 10.0.0 < 99999999999999999999.0.0",
		"pypi": "1.dev0 < 1.0.dev456 < 1.0a1 = 1.0.alpha1 = 1.0-A.1 < 1.0a2.dev456 < 1.0a12.dev456 < 1.0a12 < 1.0b1.dev456 < 1.0b2 < " +
			"1.0b2.post345.dev456 < 1.0b2.post345 = 1.0b2-345 < 1.0rc1.dev456 < 1.0rc1 = 1.0c1 = 1.0-preview_1 = 1.0pre1 < 1.0 = 1.0.0 = v1.0 = 1 < " +
			"1.0+abc.5 < 1.0+abc.7 < 1.0+5 = 1.0+05 < 1.0.post456.dev34 < 1.0.post456 = 1.0-456 = 1.0rev456 < 1.0.15 < 1.1.dev1 < 1.1 < 1.10 < " +
			"2026.11 < 1!0.1",
		"maven": "1-alpha2snapshot < 1-alpha2 = 1a2 = 1-ALPHA-2 = 1.alpha.2 < 1-alpha-123 < 1-beta-2 = 1b2 < 1-beta123 < 1-m2 = 1-milestone-2 < 1-m11 < " +
			"1-rc < 1-cr2 = 1RC2 < 1-rc123 < 1-SNAPSHOT < 1 = 1.0 = 1.0.0 = 1-0 = 1.0-0 = 1ga = 1.Final = 1RELEASE = 01 < 1-sp < 1-sp2 < 1-sp123 < " +
			"1-abc = 1.abc = 1abc < 1-def < 1-pom-1 < 1-1-snapshot < 1-1 = 1-0-1 < 1-1.2 < 1-2 < 1-123 < 1.0.1-rc1 < " +
			"2.0 < 2.0.a < 2-1 < 2.0.2 < 2.0.123 < 2.1.0 < 2.1-a < 2.1b < 2.1-c < 2.1-1 < 2.1.0.1 < 2.2 < 2.123 < " +
			"6.1.0rc3 < 6.1.0 < 6.1H.5-beta < 11.a2 < 11.a11 < 11.b2 < 11.b11 < 11.m2 < 11.m11 < 11 < 11.a < 11b < 11c < 11m < " +
			"20190126.230843 < 1234567890.12345 < 12345678901234567890.1H.5-beta",
		"deb": "0~~ < 0~~a < 0~ < 0 < 0a < 1.0~beta1~svn1245 < 1.0~beta1 < 1.0 = 1.0-0 = 0:1.0 = 1.00 < 1.0-1~bpo12+1 < 1.0-1 < 1.0-1+b1 < 1.0-1.1 < 1.0-2 < 1.0-10 < " +
			"1.0a-1 < 1.0+dfsg-1 < 1.0.1-1 < 1.2.3 < 1.2.24 < 1:0.1 < 2:0-1",
	} {
		var versions []string
		var ranks []int
		rank := 0
		for _, word := range strings.Fields(list) {
			switch word {
			case "<":
				rank++
			case "=":
			default:
				versions, ranks = append(versions, word), append(ranks, rank)
			}
		}
		for i, v := range versions {
			for j, w := range versions {
				if v != w {
					checkOrder(t, scheme, v, w, ranks[i]-ranks[j])
				}
			}
		}
	}
}

// checkOrder: v against w, by ranges with the bound w.
func checkOrder(t *testing.T, scheme, v, w string, want int) {
	t.Helper()
	for _, test := range []struct {
		op string
		in bool
	}{{"<", want < 0}, {"<=", want <= 0}, {">", want > 0}, {">=", want >= 0}, {"", want == 0}} {
		r, err := vers.Parse("vers:" + scheme + "/" + test.op + strings.ReplaceAll(w, "!", "%21"))
		if err != nil {
			t.Fatal(err)
		}
		if in, err := r.Contains(v); err != nil || in != test.in {
			t.Errorf("%s: %s in %s%s: %v, %v", scheme, v, test.op, w, in, err)
		}
	}
}

// FuzzParse: a range that was read tells of each version that it names what it
// says of it, in whatever order the constraints are written, and of any version
// the same twice.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"vers:npm/1.2.3|>=2.0.0|<5.0.0", "vers:pypi/0.0.2|0.0.6|>=3.0.0|!=1.0rc1.post1.dev2+a.1", "vers:maven/>=1.0-alpha-2|<2.0.a.3",
		"vers:deb/>=1:2.0~rc1-1|<2:0", "vers:generic/a%2Fb", "vers:golang/<v1.0.0|v2.0.0", "vers:all/*",
	} {
		f.Add(s, "1.2.3")
	}
	f.Fuzz(func(t *testing.T, s, version string) {
		r, err := vers.Parse(s)
		if err != nil {
			return
		}
		head, list, _ := strings.Cut(s, "/")
		parts := strings.Split(list, "|")
		for _, part := range parts {
			named := strings.TrimLeft(part, "!<>=")
			if strings.ContainsAny(part, "%*") {
				continue
			}
			in, err := r.Contains(named)
			want := named == part || strings.HasSuffix(strings.TrimSuffix(part, named), "=") && part[0] != '!'
			if known := slices.Contains([]string{"npm", "pypi", "maven", "deb", "golang", "semver"}, r.Scheme()); (known || err == nil) && (err != nil || in != want) {
				t.Fatalf("%s contains %s: %v, %v", s, named, in, err)
			}
		}
		slices.Reverse(parts)
		again, err := vers.Parse(head + "/" + strings.Join(parts, "|"))
		if err != nil {
			t.Fatal(err)
		}
		in, err := r.Contains(version)
		in2, err2 := again.Contains(version)
		if in != in2 || (err == nil) != (err2 == nil) {
			t.Fatalf("%s contains %q: %v, %v; reversed %v, %v", s, version, in, err, in2, err2)
		}
	})
}
