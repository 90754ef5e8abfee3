//go:build !linux

package engine

import "os"

// newSpool returns a file for an insert's data and the path by which the engine opens it: a temporary file, already
// without a name, read back through its descriptor.
func newSpool() (*os.File, string, error) {
	file, err := os.CreateTemp("", "gapwatch-insert-*")
	if err != nil {
		return nil, "", err
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, "", err
	}
	return file, spoolPath(int(file.Fd())), nil
}
