package recovery

import (
	"context"
	"errors"
	"fmt"
)

// ErrNoRoom means that the disk has too little room for a second store. Nothing
// was fetched.
var ErrNoRoom = errors.New("there is too little room for a second store")

// Room is what a run is about to take.
type Room struct {
	Leaves uint64 // to be read
	Need   uint64 // bytes that the new store will take beside the old one, about
	Free   uint64 // bytes that the disk has
}

func (r Room) String() string {
	return fmt.Sprintf("%d leaves are to be read; the new store takes about %d MiB more, beside the old one; %d MiB are free", r.Leaves, (r.Need+1<<20-1)>>20, r.Free>>20)
}

// leafRoom is about what a store takes for a leaf, in bytes, where there is none
// to be asked.
const leafRoom = 3 << 10

// room tells what filling the new store up to size takes, and fails with
// ErrNoRoom if that is not there: to find out half-way helps nobody. A file
// system that does not say what is free is no reason to stop.
func (j *job) room(ctx context.Context, size uint64) error {
	held, err := j.copy.Held(ctx)
	if err != nil {
		return err
	}
	disk, err := j.FS.GetDiskUsage(j.Dir)
	if err != nil || held >= size {
		return nil
	}
	r := Room{Leaves: size - held, Free: disk.AvailBytes}
	r.Need = r.Leaves * j.leafRoom(ctx, size)
	if r.Free < r.Need {
		return fmt.Errorf("%w: %v: free as much, or put %s onto a larger disk, and run this again", ErrNoRoom, r, j.Dir)
	}
	if j.Starts != nil {
		j.Starts(r)
	}
	return nil
}

// leafRoom is what the old store takes for a leaf, unless it has too few of them
// to say something about all.
func (j *job) leafRoom(ctx context.Context, size uint64) uint64 {
	if j.old == nil || j.before.Size < max(size/2, 10_000) {
		return leafRoom
	}
	used, err := j.old.Usage(ctx)
	if err != nil {
		return leafRoom
	}
	return used.Store / j.before.Size
}
