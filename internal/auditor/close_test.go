package auditor

import (
	"sync"
	"testing"
)

// Requests that come while the auditor is closed begin what Close waits for, or
// nothing.
func TestBeginWhileClosing(t *testing.T) {
	for range 2000 {
		a := &Auditor{end: func() {}}
		var mu sync.Mutex
		released := false
		var requests sync.WaitGroup
		for range 4 {
			requests.Go(func() {
				a.begin(func() {
					mu.Lock()
					defer mu.Unlock()
					if released {
						t.Error("goes on behind Close")
					}
				})
			})
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		released = true
		mu.Unlock()
		requests.Wait()
		if a.begin(func() { t.Error("ran") }) {
			t.Fatal("begun behind Close")
		}
	}
}
