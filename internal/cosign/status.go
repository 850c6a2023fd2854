package cosign

import (
	"slices"

	"github.com/standing-log/standing/personality/trust"
)

// Status is what is known of a cosigner of the trust file.
type Status struct {
	trust.Cosigner
	// Auditor says that it is asked before witnesses are.
	Auditor bool
	// Published says that the published checkpoint bears its cosignature.
	Published bool
	// Size and Time are of the tree that it cosigned last, as far as this
	// process or the published checkpoint knows; else 0.
	Size uint64
	Time int64 // Unix seconds, by its clock
	// Err is why it gave no cosignature when it was asked last.
	Err error
}

// Statuses says what is known of each cosigner of p, in its order. published
// may be nil.
func Statuses(p *trust.Policy, auditors []string, clients []*Client, published *trust.Checkpoint) []Status {
	var all []Status
	for _, o := range p.Cosigners() {
		s := Status{Cosigner: o, Auditor: slices.Contains(auditors, o.Name)}
		if published != nil {
			for _, c := range published.Cosignatures {
				if c.Name == o.Name {
					s.Published, s.Size, s.Time = true, published.Size, c.Unix
				}
			}
		}
		for _, c := range clients {
			for _, signed := range c.Signed() {
				if signed.Name != o.Name {
					continue
				}
				s.Err = signed.Err
				if signed.Size >= s.Size && signed.Size > 0 {
					s.Size, s.Time = signed.Size, signed.Time
				}
			}
		}
		all = append(all, s)
	}
	return all
}
