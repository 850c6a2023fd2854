package check_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/sbom"
)

const (
	oldSBOM = `{"$schema":"x","bomFormat":"CycloneDX","specVersion":"1.2","serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79","version":4,
"metadata":{"tools":[{"name":"maker"}],"component":{"type":"application","name":"gateway","components":[{"type":"library","name":"part"}]}},
"components":[{"type":"library","bom-ref":"a","name":"active","purl":"pkg:npm/active@1.0.0","externalReferences":[{"type":"vcs","url":"https://a.example"}],
"components":[{"type":"library","name":"revoked","purl":"pkg:npm/revoked@1.0.0"}]},
{"type":"library","name":"both","purl":"pkg:npm/both@1.0.0","signature":{"algorithm":"ES256","value":"AA"}},
{"type":"library","bom-ref":"n","name":"negative","purl":"pkg:npm/negative@1.0.0"}],
"dependencies":[{"ref":"a"}],"signature":{"algorithm":"ES256","value":"AA"}}`
	spdxSBOM = `{"spdxVersion":"SPDX-2.3","name":"x","packages":[{"SPDXID":"SPDXRef-1","name":"active","versionInfo":"1.0.0","primaryPackagePurpose":"SOURCE",
"checksums":[{"algorithm":"SHA256","checksumValue":"00"}],"externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:npm/active@1.0.0"}]},{"SPDXID":"SPDXRef-2"}]}`
)

// annotate checks an SBOM against the log of a scene and writes it again.
func (s *scene) annotate(file string) ([]byte, error) {
	s.t.Helper()
	doc, err := sbom.Parse([]byte(file))
	if err != nil {
		s.t.Fatal(err)
	}
	s.doc = *doc
	var out bytes.Buffer
	err = s.judge().CycloneDX(&out, doc, []byte(file))
	return out.Bytes(), err
}

func TestCycloneDX(t *testing.T) {
	s := newScene(t)
	s.fill()
	got, err := s.annotate(oldSBOM)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "result.cdx.json", got)
	for _, bad := range []string{"affirmation", "signator", `"conformance"`} {
		if bytes.Contains(got, []byte(bad)) {
			t.Errorf("it has %q in it", bad)
		}
	}
	var bom struct {
		SpecVersion  string
		Version      int
		Components   []struct{ Signature, ExternalReferences, Properties any }
		Declarations struct {
			Assessors    []struct{ ThirdParty bool }
			Attestations []struct {
				Map []struct{ Claims, CounterClaims []string }
			}
			Claims []struct{ Target string }
		}
		Signature any
	}
	if err := json.Unmarshal(got, &bom); err != nil {
		t.Fatal(err)
	}
	d := bom.Declarations
	if bom.SpecVersion != "1.6" || bom.Version != 5 || bom.Signature != nil || len(d.Assessors) != 2 || len(d.Claims) != 4 || len(d.Attestations) != 4 ||
		len(d.Attestations[3].Map[0].CounterClaims) != 1 || !d.Assessors[0].ThirdParty {
		t.Errorf("%+v", bom)
	}
	if signed := bom.Components[1]; signed.Signature == nil || signed.Properties != nil || signed.ExternalReferences != nil {
		t.Errorf("what was signed: %+v", signed)
	}
	for _, c := range d.Claims {
		if !bytes.Contains(got, []byte(`"bom-ref": "`+c.Target+`"`)) {
			t.Errorf("a claim is about %s, which is not there", c.Target)
		}
	}
	// The result is an SBOM with the same components, and not to be added to.
	again, err := sbom.Parse(got)
	if err != nil || len(again.Components) != 5 {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := s.annotate(string(got)); !errors.Is(err, check.ErrAnnotated) {
		t.Errorf("added twice: %v", err)
	}
}

// TestCycloneDXKeeps: declarations of the SBOM's own get nothing added, for
// somebody else may have put a name to them.
func TestCycloneDXKeeps(t *testing.T) {
	s := newScene(t)
	s.fill()
	const own = `"declarations":{"affirmation":{"statement":"ours"}}`
	got, err := s.annotate(`{"bomFormat":"CycloneDX","specVersion":"1.7",` + own + `,"components":[{"type":"library","name":"a","purl":"pkg:npm/active@1.0.0"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, got); err != nil || !strings.Contains(compact.String(), own) || !strings.Contains(compact.String(), `"specVersion":"1.7"`) ||
		!strings.Contains(compact.String(), `{"type":"attestation","url":"att:`) {
		t.Errorf("%s, %v", got, err)
	}
}

func TestCycloneDXFromSPDX(t *testing.T) {
	s := newScene(t)
	s.fill()
	got, err := s.annotate(spdxSBOM)
	if err != nil {
		t.Fatal(err)
	}
	again, err := sbom.Parse(got)
	if err != nil || again.Format != "CycloneDX 1.6 JSON" || len(again.Components) != 2 || again.Components[0].PURL != "pkg:npm/active@1.0.0" ||
		again.Components[0].Ref != "SPDXRef-1" || again.Components[0].Digests != nil || again.Components[1].Name == "" {
		t.Errorf("%+v, %v", again, err)
	}
}
