package auditor

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/standing-log/standing/internal/api"
	"github.com/standing-log/standing/personality/entry"
	"github.com/standing-log/standing/personality/promise"
	"github.com/standing-log/standing/personality/reason"
)

// maxTake bounds a request: an envelope and a promise, both in base64.
const maxTake = 2 * (2*entry.MaxSize + promise.MaxSize)

// serveTake is POST /auditor/entries:
//
//	{"log":"<origin>","envelope":"<base64>"}   an entry that the log does not take
//	{"log":"<origin>","promise":"<base64>"}    a promise of the log
//
// The answer is a client.Held. Refusals are those of the API of a log.
func (a *Auditor) serveTake(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Log      string `json:"log"`
		Envelope []byte `json:"envelope"`
		Promise  []byte `json:"promise"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxTake))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || (len(in.Envelope) == 0) == (len(in.Promise) == 0) {
		api.WriteError(w, reason.Errorf(reason.RequestMalformed, "want log, and either envelope or promise: %v", err))
		return
	}
	f := a.logs[in.Log]
	if f == nil {
		api.WriteError(w, reason.Errorf(reason.WrongLog, "this auditor does not follow %.255q", in.Log))
		return
	}
	held, err := f.take(r.Context(), in.Envelope, in.Promise)
	if err != nil {
		if _, ok := errors.AsType[*reason.Error](err); !ok {
			f.log.Error("taking an entry", "err", err)
		}
		api.WriteError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(held)
}
