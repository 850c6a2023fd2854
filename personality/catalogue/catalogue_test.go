package catalogue

import (
	"regexp"
	"strings"
	"testing"
)

var code = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// TestReasons holds the numbers, which are in records for ever, against an
// order written down once more.
func TestReasons(t *testing.T) {
	order := strings.Fields(`unspecified superseded corrected end-of-support programme-ended issuer-ceased
		affiliation-changed mandate-withdrawn practice-lapsed evidence-expired vulnerability artifact-compromised
		misstatement dispute-upheld key-compromise programme-key-compromise legal-order hold hold-released`)
	if len(order) != 19 || len(Reasons()) != 19 {
		t.Fatalf("%d reasons, want 19", len(Reasons()))
	}
	for i, r := range Reasons() {
		if int(r.Number) != i || r.Code != order[i] {
			t.Errorf("reason %d is %d %q, want %q", i, r.Number, r.Code, order[i])
		}
		if r.Meaning == "" || r.Severity == "" || !code.MatchString(r.Code) {
			t.Errorf("%s: incomplete: %+v", r.Code, r)
		}
		if needs := r.Refs || r.Link || r.Since; needs != (r.Detail != "") {
			t.Errorf("%s: detail %q, but something is required: %v", r.Code, r.Detail, needs)
		}
		if byCode, ok := ReasonByCode(r.Code); !ok || byCode != r {
			t.Errorf("ReasonByCode(%q) = %+v, %v", r.Code, byCode, ok)
		}
		if byNumber, ok := ReasonByNumber(r.Number); !ok || byNumber != r {
			t.Errorf("ReasonByNumber(%d) = %+v, %v", r.Number, byNumber, ok)
		}
	}
	if _, ok := ReasonByNumber(19); ok {
		t.Error("reason 19 exists")
	}
	if _, ok := ReasonByCode("Hold"); ok {
		t.Error("codes are folded")
	}
}

func TestCatalogues(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Catalogues() {
		name := c.Name + " " + c.Version
		if seen[name] {
			t.Errorf("%s: twice", name)
		}
		seen[name] = true
		if !code.MatchString(c.Name) || !code.MatchString(c.Version) || c.Title == "" {
			t.Errorf("%s: name, version or title", name)
		}
		if got, ok := Lookup(c.Name, c.Version); !ok || got.Title != c.Title {
			t.Errorf("%s: Lookup gives %v, %v", name, got.Title, ok)
		}
		ids := map[string]bool{}
		for _, item := range c.Items {
			if ids[item.ID] || !code.MatchString(item.ID) || item.Title == "" || item.Group == "" || item.Strength == "" {
				t.Errorf("%s: item %+v", name, item)
			}
			ids[item.ID] = true
		}
	}
	if _, ok := Lookup(LightName, "9.9"); ok {
		t.Error("unknown version found")
	}
}

func TestItem(t *testing.T) {
	tests := []struct {
		name, version, id string
		want              bool
	}{
		{LightName, LightVersion, "VM.01", true},
		{LightName, LightVersion, "DE.01", false}, // BSI's id for EL.01
		{LightName, LightVersion, "vm.01", false},
		{LightName, LightVersion, "x-SP.01", true},
		{LightName, LightVersion, "x-ZZ.99", false},
		{"cra-annex-i", "2024-2847", "CRA-I-2m", true},
		{"cra-annex-i", "2024-2847", "CRA-I-2n", false},
		{"osps-baseline", "2025-10-10", "OSPS-VM-04", true},
		{"osps-baseline", "2025-10-10", "OSPS-VM-04.02", true},
		{"osps-baseline", "2025-10-10", "OSPS-VM-4", false},
	}
	for _, tt := range tests {
		c, ok := Lookup(tt.name, tt.version)
		if !ok {
			t.Errorf("%s %s is not known", tt.name, tt.version)
		}
		if item, got := c.Item(tt.id); got != tt.want || got && item.ID != tt.id {
			t.Errorf("%s %s: Item(%q) = %v, %v", tt.name, tt.version, tt.id, item, got)
		}
	}
	if c, _ := Lookup(LightName, LightVersion); len(c.Items) != 22+4 {
		t.Errorf("the light template has %d points", len(c.Items))
	}
}
