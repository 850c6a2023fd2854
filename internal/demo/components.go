package demo

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"runtime/debug"
	"strings"
	"time"

	"github.com/standing-log/standing/internal/lint"
	"github.com/standing-log/standing/personality/entry"
)

// component is a subject and what is said about it.
type component struct {
	subject entry.Subject
	items   []entry.Claim
}

// components describes modules. The digest is the SHA-256 that go.sum keeps of
// a module: the hash of its list of file hashes (h1).
func components(modules []*debug.Module) []component {
	var out []component
	for _, m := range modules {
		sum, ok := strings.CutPrefix(m.Sum, "h1:")
		digest, err := base64.StdEncoding.DecodeString(sum)
		if !ok || err != nil || m.Replace != nil {
			continue // not a published module
		}
		name, err := lint.CanonicalPurl("pkg:golang/" + m.Path + "@" + m.Version)
		if err != nil {
			continue // no purl type's rules fit it
		}
		out = append(out, component{
			subject: entry.Subject{Name: name, Algorithm: "sha256", Digest: hex.EncodeToString(digest)},
			items:   moduleClaims(m.Path, m.Version),
		})
	}
	return out
}

// moduleClaims is what is true of every published Go module: points of the
// light template that the module system itself answers.
func moduleClaims(path, version string) []entry.Claim {
	page := "https://pkg.go.dev/" + path + "@" + version
	if len(page) > 200 {
		page = ""
	}
	return []entry.Claim{
		{ID: "QA.02", Answer: "yes", Link: page},                                    // source is public
		{ID: "BR.02", Answer: "yes", Link: "https://go.dev/ref/mod"},                // versions are unique
		{ID: "BR.03", Answer: "yes", Link: "https://go.dev/ref/mod#authenticating"}, // and can be checked
		{ID: "GV.01", Answer: "not-stated"},
		{ID: "VM.01", Answer: "not-stated"},
	}
}

// widget is a component that does not exist.
func widget() component {
	digest := sha256.Sum256([]byte("there is no such module"))
	return component{
		subject: entry.Subject{Name: "pkg:golang/widgets.example/parse@v1.4.0", Algorithm: "sha256", Digest: hex.EncodeToString(digest[:])},
		items: []entry.Claim{
			{ID: "QA.02", Answer: "yes", Link: "https://widgets.example/parse"},
			{ID: "VM.01", Answer: "yes", Link: "https://widgets.example/security"},
			{ID: "VM.02", Answer: "yes"},
		},
	}
}

// payload writes the statement about a component, valid for a year.
func (c component) payload(now time.Time) []byte {
	from := uint64(now.Unix()) - 60
	return entry.Payload(&entry.Attestation{
		Logs: []string{Origin}, Relation: "third-party", Polarity: "positive", LegalBasis: "none",
		Initiator: "steward", ValidFrom: from, ValidUntil: uint64(now.AddDate(1, 0, 0).Unix()),
		Claims: &entry.Claims{Catalogue: "orc-template-lite", Version: "0.1", Items: c.items},
	}, c.subject)
}
