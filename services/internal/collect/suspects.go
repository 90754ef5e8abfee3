package collect

import "sync"

// someRows is how many rows are refused alone, with none stored since, before the table is blamed.
const someRows = 16

// suspects are the messages whose rows ClickHouse refused while it stored no other: the fault may be theirs or the table's.
// They are given back to the stream until that is known, so that a fault of the table makes no dead letters, however
// small the batches are.
type suspects struct {
	mu     sync.Mutex
	stored uint64              // how often rows were stored
	since  map[position]uint64 // stored, when the message was first refused, alone or among others
}

// somethingStored clears the table for now.
func (s *suspects) somethingStored() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored++
}

// now is how often rows were stored so far.
func (s *suspects) now() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored
}

// add suspects messages that were refused, each with its now when it was refused first. It returns how many were refused
// since a row was stored.
func (s *suspects) add(refused map[position]uint64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since == nil || len(s.since) > 1000 { // others may have had those that did not come back
		s.since = make(map[position]uint64)
	}
	for message, now := range refused {
		if _, again := s.since[message]; !again {
			s.since[message] = now
		}
	}
	return s.count()
}

// convict tells whether a row was stored since the message was first refused: the fault is then its own.
func (s *suspects) convict(message position) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, known := s.since[message]
	if !known || first == s.stored {
		return false
	}
	delete(s.since, message)
	return true
}

// open is how many messages were refused since a row was stored.
func (s *suspects) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count()
}

func (s *suspects) count() (n int) {
	for _, stored := range s.since {
		if stored == s.stored {
			n++
		}
	}
	return n
}
