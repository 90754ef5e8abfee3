package load

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"slices"

	"github.com/zeebo/xxh3"
)

// digest names content whatever the order of its rows: the sum, modulo 2^256, of the SHA-256 of every row. It needs no
// memory for the rows. It guards against mistakes, not against somebody who builds files with equal sums.
type digest struct {
	sum  [4]uint64 // lowest first
	rows int
}

func (d *digest) add(row []byte) {
	h := sha256.Sum256(row)
	var carry uint64
	for i := range d.sum {
		d.sum[i], carry = bits.Add64(d.sum[i], binary.LittleEndian.Uint64(h[8*i:]), carry)
	}
	d.rows++
}

func (d *digest) String() string {
	var b []byte
	for _, word := range d.sum {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return hex.EncodeToString(b)
}

// identities finds rows that say who they are twice, in 24 bytes a row.
type identities []identity

type identity struct {
	hash xxh3.Uint128
	row  int
}

func (ids *identities) add(name []byte, row int) {
	*ids = append(*ids, identity{xxh3.Hash128(name), row})
}

// twice calls f for every row whose identity an earlier row has, with that row. It sorts.
func (ids identities) twice(f func(row, first int)) {
	slices.SortFunc(ids, func(a, b identity) int {
		return cmp.Or(cmp.Compare(a.hash.Hi, b.hash.Hi), cmp.Compare(a.hash.Lo, b.hash.Lo), cmp.Compare(a.row, b.row))
	})
	first := 0
	for i := range ids {
		if ids[i].hash != ids[first].hash {
			first = i
		}
		if i != first {
			f(ids[i].row, ids[first].row)
		}
	}
}
