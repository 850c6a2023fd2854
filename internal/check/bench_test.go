package check_test

import (
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"github.com/standing-log/standing/internal/check"
	"github.com/standing-log/standing/internal/sbom"
	"github.com/standing-log/standing/internal/testlog"
	"github.com/standing-log/standing/internal/testnode"
	"github.com/standing-log/standing/personality/verify"
)

// BenchmarkCheck checks SBOMs from their bytes to JSON, with a copy of the log
// at hand. Each component has an attestation and a digest of its own; each
// signature and each proof is verified.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkCheck(b, n) })
	}
}

func benchmarkCheck(b *testing.B, n int) {
	node := testnode.New(b, origin)
	keys := node.Enrol("steward", 1).Keys
	type hash struct {
		Algorithm string `json:"alg"`
		Hex       string `json:"content"`
	}
	type component struct {
		Name   string `json:"name"`
		PURL   string `json:"purl"`
		Hashes []hash `json:"hashes"`
	}
	var components []component
	node.Fill(uint64(n+n/1023+8), func(uint64) []byte {
		s := testlog.Component(fmt.Sprintf("pkg:npm/component-%d@1.0.0", len(components)))
		components = append(components, component{"x", s.Name, []hash{{"SHA-256", s.Digest}}})
		return testlog.Attest(keys[0], testlog.Claims(origin, node.Unix(), 22), s).Leaf
	})
	components = components[:n]
	data, err := json.Marshal(map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		doc, err := sbom.Parse(data)
		if err != nil {
			b.Fatal(err)
		}
		state := node.State()
		bundles, err := check.Ask(doc.Components, state)
		state.Close()
		if err != nil {
			b.Fatal(err)
		}
		r := check.Judge(doc, []check.Evidence{{Origin: origin, Bundles: bundles}}, verify.Options{Policy: node.Policy, Now: node.Now()})
		if r.Totals.Verdicts["ACTIVE"] != n || r.Components[0].Attestations[0].Digest != "same" {
			b.Fatalf("%+v", r.Totals)
		}
		if err := r.JSON(io.Discard, 0); err != nil {
			b.Fatal(err)
		}
	}
}
