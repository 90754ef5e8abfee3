package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

// droppedTable is the name of the file that marks a table as dropped: database, table and UUID.
var droppedTable = regexp.MustCompile(`\.(([0-9a-f]{3})[0-9a-f]{5}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.sql$`)

// purgeDropped removes the files of tables that were dropped in earlier runs. A ClickHouse server does that by itself
// some minutes after the DROP; this engine only marks them. It must come before the engine opens the folder.
func purgeDropped(dir string) error {
	marks, err := os.ReadDir(filepath.Join(dir, "metadata_dropped"))
	if errors.Is(err, os.ErrNotExist) || err == nil && len(marks) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	// The engine holds this lock while it has the folder open. Taken by another process, opening fails next.
	lock, err := os.OpenFile(filepath.Join(dir, "status"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil
	}
	for _, mark := range marks {
		uuid := droppedTable.FindStringSubmatch(mark.Name())
		if uuid == nil {
			continue
		}
		// The mark goes last: after a crash in between, the next start finishes the work.
		err := os.RemoveAll(filepath.Join(dir, "store", uuid[2], uuid[1]))
		if err == nil {
			err = os.Remove(filepath.Join(dir, "metadata_dropped", mark.Name()))
		}
		if err != nil {
			return fmt.Errorf("engine: remove a dropped table: %w", err)
		}
	}
	return nil
}
