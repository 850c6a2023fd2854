package reason

import (
	"errors"
	"fmt"
	"regexp"
	"testing"
)

func TestTable(t *testing.T) {
	code := regexp.MustCompile(`^[a-z]+[0-9]*(-[a-z]+[0-9]*)*(-[a-z]+)*$`)
	seen := map[Code]bool{}
	for _, e := range Table() {
		if seen[e.Code] {
			t.Errorf("%s: twice in the table", e.Code)
		}
		seen[e.Code] = true
		if !code.MatchString(string(e.Code)) {
			t.Errorf("%s: not a lower-case code", e.Code)
		}
		if e.Meaning == "" || e.NextStep == "" || e.GRPC == "" || e.HTTP < 400 || e.HTTP > 599 {
			t.Errorf("%s: incomplete row %+v", e.Code, e)
		}
		if Lookup(e.Code) != e {
			t.Errorf("%s: Lookup gives another row", e.Code)
		}
	}
	if e := Lookup("from-the-future"); e.HTTP != 400 || e.NextStep == "" {
		t.Errorf("unknown code: %+v", e)
	}
}

func TestCodeOf(t *testing.T) {
	err := fmt.Errorf("item 3: %w", Errorf(Base64, "payload"))
	if got := CodeOf(err); got != Base64 {
		t.Errorf("CodeOf = %q", got)
	}
	if got := CodeOf(errors.New("disk on fire")); got != "" {
		t.Errorf("CodeOf of a foreign error = %q", got)
	}
}
