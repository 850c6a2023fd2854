package check

import (
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// JSON writes the result and the exit code that it leads to. It is written as it
// is made: with many components it is long.
func (r *Result) JSON(w io.Writer, exit int) error {
	enc := jsontext.NewEncoder(w, jsontext.WithIndent("  "), jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
	return json.MarshalEncode(enc, struct {
		*Result
		Exit int `json:"exit"`
	}{r, exit})
}
