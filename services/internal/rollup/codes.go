package rollup

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/go-faster/city"

	"gapwatch/services/internal/area"
)

// codes turns the hashes of everybody.sql, ClickHouse's cityHash64 of a text, back into the texts that mean something:
// LSOAs and practices of the look-ups. Any other text counts as unknown everywhere, so it is only told apart from the
// rest. Each text has a number, the empty one 0; LSOAs of one place are side by side.
type codes struct {
	known   numbers // those of the look-ups, by hash
	others  numbers
	texts   []string
	numbers map[string]uint32
}

func newCodes(ix *area.Index) (*codes, error) {
	c := &codes{numbers: map[string]uint32{}}
	add := func(text string) error {
		hash := city.CH64([]byte(text))
		if n, taken := c.known.get(hash); !taken {
			c.known.set(hash, c.put(text))
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

func (c *codes) put(text string) uint32 {
	n := uint32(len(c.texts))
	c.texts = append(c.texts, text)
	c.numbers[text] = n
	return n
}

// unknown stands for the number of a text that no look-up has.
const unknown = math.MaxUint32

// look appends the numbers of the texts with some hashes, which are unknown for a text that no look-up has. One after the
// other, without anything in between, they are found several times faster. Several may look at once.
func (c *codes) look(numbers []uint32, hashes []uint64) []uint32 {
	numbers = slices.Grow(numbers, len(hashes))
	for _, hash := range hashes {
		n, ok := c.known.get(hash)
		if !ok {
			n = unknown
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// number gives the unknown ones of some texts numbers as well.
func (c *codes) number(numbers []uint32, hashes []uint64) {
	for i, n := range numbers {
		if n != unknown {
			continue
		}
		other, known := c.others.get(hashes[i])
		if !known {
			other = c.put(fmt.Sprintf("unknown %x", hashes[i]))
			c.others.set(hashes[i], other)
		}
		numbers[i] = other
	}
}
