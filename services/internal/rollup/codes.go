package rollup

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-faster/city"

	"gapwatch/services/internal/area"
)

// codes turns the hashes of everybody.sql, ClickHouse's cityHash64 of a text, back into the texts that mean something:
// LSOAs and practices of the look-ups. Any other text counts as unknown everywhere, so it is only told apart from the
// rest. Each text has a number, the empty one 0; LSOAs of one place are side by side.
type codes struct {
	hashes  numbers
	texts   []string
	numbers map[string]uint32
}

func newCodes(ix *area.Index) (*codes, error) {
	c := &codes{numbers: map[string]uint32{}}
	add := func(text string) error {
		hash := city.CH64([]byte(text))
		if n, taken := c.hashes.get(hash); !taken {
			c.put(hash, text)
		} else if c.texts[n] != text {
			return fmt.Errorf("%q and %q have the same cityHash64", text, c.texts[n])
		}
		return nil
	}
	if err := add(""); err != nil {
		return nil, err
	}
	type placed struct{ place, lsoa string }
	var lsoas []placed
	for lsoa := range ix.LSOAs() {
		lsoas = append(lsoas, placed{ix.Find(lsoa).Place, lsoa})
	}
	slices.SortFunc(lsoas, func(a, b placed) int { return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.lsoa, b.lsoa)) })
	for _, at := range lsoas {
		if err := add(at.lsoa); err != nil {
			return nil, err
		}
	}
	for practice := range ix.Practices() {
		if err := add(practice); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *codes) put(hash uint64, text string) uint32 {
	n := uint32(len(c.texts))
	c.hashes.set(hash, n)
	c.texts = append(c.texts, text)
	c.numbers[text] = n
	return n
}

// number is the number of the text with a hash.
func (c *codes) number(hash uint64) uint32 {
	if n, known := c.hashes.get(hash); known {
		return n
	}
	return c.put(hash, fmt.Sprintf("unknown %x", hash))
}

// all appends the numbers of the texts with some hashes. One after the other, without anything in between, they are
// found several times faster.
func (c *codes) all(numbers []uint32, hashes []uint64) []uint32 {
	numbers = slices.Grow(numbers, len(hashes))
	for _, hash := range hashes {
		numbers = append(numbers, c.number(hash))
	}
	return numbers
}
