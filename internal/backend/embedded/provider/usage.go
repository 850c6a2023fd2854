package provider

// Usage is how much room a store takes and has, in bytes.
type Usage struct {
	Store     uint64 // files of the store
	Available uint64 // left on its file system
	Total     uint64 // size of its file system
}

// Usage asks Pebble and the file system.
func (p *Provider) Usage() (u Usage, err error) {
	asked := make(chan uint64, 1)
	err = p.health.guard(func() error {
		asked <- p.db.Metrics().DiskSpaceUsage()
		return nil
	})
	if err != nil {
		return u, err
	}
	disk, err := p.fs.GetDiskUsage(p.dir)
	if err != nil {
		return u, err
	}
	return Usage{<-asked, disk.AvailBytes, disk.TotalBytes}, nil
}
