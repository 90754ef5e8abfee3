package rollup

import (
	"fmt"
	"math/big"
)

// Position is a place in the order in which messages were accepted: first by the stream they came from, streams by
// creation time, then by sequence.
type Position struct {
	Stream   uint64 // creation time of the stream, nanoseconds since 1970
	Sequence uint64 // 0 is before the first message
}

// After tells whether p comes later than q.
func (p Position) After(q Position) bool {
	return p.Stream > q.Stream || p.Stream == q.Stream && p.Sequence > q.Sequence
}

func (p Position) String() string { return fmt.Sprintf("%d/%d", p.Stream, p.Sequence) }

// snapshotID is the id of a snapshot: generation of reference data (20 bits), creation of the stream in milliseconds
// (44 bits), sequence (64 bits). It grows with what was read, so the greatest id is the newest snapshot whoever wrote
// it and whenever.
func snapshotID(generation uint32, p Position) *big.Int {
	id := new(big.Int).SetUint64(uint64(generation)<<44 | p.Stream/1e6)
	return id.Or(id.Lsh(id, 64), new(big.Int).SetUint64(p.Sequence))
}

// readID takes an id apart. The stream is known to the millisecond only; streams gives the full creation times.
func readID(id *big.Int, streams []uint64) (generation uint32, p Position, err error) {
	p.Sequence = new(big.Int).And(id, new(big.Int).SetUint64(1<<64-1)).Uint64()
	high := new(big.Int).Rsh(id, 64).Uint64()
	millis := high & (1<<44 - 1)
	generation = uint32(high >> 44)
	if millis == 0 {
		return generation, p, nil
	}
	for _, s := range streams {
		if s/1e6 == millis {
			p.Stream = s
			return generation, p, nil
		}
	}
	return 0, p, fmt.Errorf("published id %s names a stream created at %d ms that prevention.handled does not know", id, millis)
}
