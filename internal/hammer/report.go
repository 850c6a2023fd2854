package hammer

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Figure is one line of output.
type Figure struct {
	Log     string  `json:"log"`     // "standing" or "tessera"
	Load    string  `json:"load"`    // "single", "batch 100", "1000/s"
	Entries int     `json:"entries"` // of the load
	Round   int     `json:"round"`
	Figure  string  `json:"figure"` // what was measured
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
}

// report writes figures of one round: a JSON line each for programs, and a line
// for people.
type report struct {
	json, text io.Writer
	is         Figure
	kept       map[string][]float64 // by log and figure, over all rounds
}

func (r *report) figure(name string, value float64, unit string) {
	f := r.is
	f.Figure, f.Value, f.Unit = name, value, unit
	line, err := json.Marshal(f)
	if err != nil {
		// Only a value that is no number cannot be written.
		panic(err)
	}
	_, _ = fmt.Fprintf(r.json, "%s\n", line)
	digits := 0
	if value < 100 {
		digits = 2
	}
	_, _ = fmt.Fprintf(r.text, "%-9s %-10s %8d  %-20s %10.*f %s\n", f.Log, f.Load, f.Entries, name, digits, value, unit)
	key := f.Log + " " + name
	r.kept[key] = append(r.kept[key], value)
}

func (r *report) duration(name string, d time.Duration, unit time.Duration) {
	r.figure(name, float64(d)/float64(unit), map[time.Duration]string{
		time.Second: "s", time.Millisecond: "ms", time.Microsecond: "µs",
	}[unit])
}

func (r *report) say(format string, args ...any) { _, _ = fmt.Fprintf(r.text, format+"\n", args...) }
