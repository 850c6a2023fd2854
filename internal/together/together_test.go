package together_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/standing-log/standing/internal/together"
)

// TestDo: calls that come while a batch is worked on are in the next ones, each
// value once, in full batches, one at a time.
func TestDo(t *testing.T) { synctest.Test(t, testDo) }

func testDo(t *testing.T) {
	const most, calls = 8, 100
	var sizes []int
	var working atomic.Bool
	goOn := make(chan struct{})
	g := together.New(most, func(batch []*int) {
		if !working.CompareAndSwap(false, true) {
			t.Error("two batches at a time")
		}
		<-goOn
		sizes = append(sizes, len(batch))
		for _, v := range batch {
			*v++
		}
		working.Store(false)
	})
	values := make([]int, calls)
	var all sync.WaitGroup
	for i := range values {
		all.Go(func() {
			if g.Do(&values[i]); values[i] != 1 {
				t.Errorf("value %d was worked on %d times", i, values[i])
			}
		})
		if i == 0 {
			synctest.Wait() // the first is alone
		}
	}
	synctest.Wait() // the others wait for it
	close(goOn)
	all.Wait()
	if want := append([]int{1}, append(slices.Repeat([]int{most}, 12), 3)...); !slices.Equal(sizes, want) {
		t.Errorf("batches of %v, want %v", sizes, want)
	}
}
