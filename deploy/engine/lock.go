// Package engine holds the pin of the embedded ClickHouse engine: which npm package carries it for which platform, and
// the checksum that the package must have.
package engine

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed engine.lock.json
var lockJSON []byte

// Lock is engine.lock.json.
type Lock struct {
	Version string `json:"version"`
	// Packages is by GOOS/GOARCH. A platform that is missing has no package of this version to be had.
	Packages map[string]Package `json:"packages"`
}

// Package is one platform's npm package.
type Package struct {
	Name      string `json:"name"`
	Integrity string `json:"integrity"` // "sha512-" and the base64 of the archive's checksum
	Size      int64  `json:"size"`      // of the archive, in bytes
	File      string `json:"file"`      // the library inside the archive
	FileSize  int64  `json:"fileSize"`  // of the library, in bytes
}

// ReadLock returns the pin. An error means stop: the program was built with a broken file.
func ReadLock() (Lock, error) {
	var lock Lock
	if err := json.Unmarshal(lockJSON, &lock); err != nil {
		return Lock{}, fmt.Errorf("engine.lock.json: %w", err)
	}
	return lock, nil
}
