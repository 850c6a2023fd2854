// Package reason is the one table of reason codes: why a log refuses an entry
// or a request, what the two transports answer, and the one safe next step.
//
// A code is stable: programs may compare it, and it never changes its meaning.
// The text beside it is for people and may be improved.
//
// The map function ignores what breaks its rules; admission refuses the same
// before it reaches the tree. Both name the cause by the same Code, carried by
// an *Error.
package reason

import (
	"errors"
	"fmt"
)

// Code names a reason, in lower case with dashes.
type Code string

// Error is a refusal: a code and what exactly was met. It never carries bytes
// of a request beyond a short quoted part.
type Error struct {
	Code   Code
	Detail string
}

// Errorf returns an *Error with a formatted detail.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// Error returns the detail, followed by the code in brackets.
func (e *Error) Error() string { return fmt.Sprintf("%s [%s]", e.Detail, e.Code) }

// CodeOf returns the code of the first *Error in err's tree, or "" if there is
// none: then the failure is not the submitter's.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// Entry is a row of the table.
type Entry struct {
	Code     Code
	GRPC     string // canonical gRPC status name
	HTTP     int
	Meaning  string
	NextStep string
}

// Lookup returns the row of code. Codes that are not in the table, which only
// a newer peer can send, get a row that says so.
func Lookup(code Code) Entry {
	for _, e := range table {
		if e.Code == code {
			return e
		}
	}
	return Entry{code, invalid, 400, "a reason this version does not know", "update this program"}
}

// Table returns all rows, in the order of documentation.
func Table() []Entry { return append([]Entry(nil), table...) }
