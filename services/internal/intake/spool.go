package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// inMemory is how much of an answer is kept in memory; more goes to a file without a name.
const inMemory = 1 << 20

// spool keeps what is said of each item until all of them are confirmed.
type spool struct {
	memory bytes.Buffer
	file   *os.File
	size   int64 // bytes so far
	err    error
}

func (s *spool) write(p []byte) {
	if s.err != nil {
		return
	}
	s.memory.Write(p)
	s.size += int64(len(p))
	if s.memory.Len() > inMemory {
		s.err = s.flush()
	}
}

func (s *spool) flush() (err error) {
	if s.file == nil {
		if s.file, err = os.CreateTemp("", "gapwatch-intake-*"); err != nil {
			return fmt.Errorf("keep the answer: %w", err)
		}
		if err := os.Remove(s.file.Name()); err != nil { // it goes when it is closed, however this ends
			return fmt.Errorf("keep the answer: %w", err)
		}
	}
	if _, err := s.memory.WriteTo(s.file); err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	return nil
}

// copyTo writes all of it.
func (s *spool) copyTo(w io.Writer) error {
	if s.file != nil {
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.Copy(w, s.file); err != nil {
			return err
		}
	}
	_, err := w.Write(s.memory.Bytes())
	return err
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return errors.Join(s.err, s.file.Close())
}
