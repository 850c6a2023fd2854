package api

import (
	"encoding/hex"

	"github.com/standing-log/standing/internal/prover"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// programme says what the log has about a programme, or returns nil.
func programme(state *prover.State, id prover.Hash) (*standingv1.Programme, error) {
	p, err := state.Programme(id)
	if p == nil || err != nil {
		return nil, err
	}
	out := &standingv1.Programme{
		Id: "prog:" + hex.EncodeToString(id[:]), State: p.Record.State,
		OperatorId: "party:" + hex.EncodeToString(p.Record.Party[:]), OperatorName: p.Operator.Name,
		IssuedIndex: p.Record.Issued, RulesIndex: p.Record.At, LastIndex: p.Record.Last,
		Rules: hex.EncodeToString(p.Rules.Rules[:]), Link: p.Rules.Link,
		Catalogues: p.Rules.Catalogues, Roles: p.Rules.Roles, MaxValidity: p.Rules.MaxValidity,
	}
	for _, m := range p.Rules.Members {
		out.Members = append(out.Members, "party:"+hex.EncodeToString(m[:]))
	}
	return out, nil
}
