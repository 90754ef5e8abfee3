package rollup

import (
	"fmt"

	"github.com/go-faster/city"

	"gapwatch/services/internal/area"
	"gapwatch/services/internal/programme"
)

// codes turns the numbers of everybody.sql, ClickHouse's cityHash64 of a text, back into the texts that mean something:
// LSOAs and practices of the look-ups, and seasons of the programme. Any other text counts as unknown everywhere, so it
// is only told apart from the rest.
type codes map[uint64]string

func newCodes(ix *area.Index, p *programme.Programme) (codes, error) {
	c := codes{}
	add := func(text string) error {
		number := city.CH64([]byte(text))
		if other, taken := c[number]; taken && other != text {
			return fmt.Errorf("%q and %q have the same cityHash64", text, other)
		}
		c[number] = text
		return nil
	}
	if err := add(""); err != nil {
		return nil, err
	}
	for lsoa := range ix.LSOAs() {
		if err := add(lsoa); err != nil {
			return nil, err
		}
	}
	for practice := range ix.Practices() {
		if err := add(practice); err != nil {
			return nil, err
		}
	}
	for _, season := range p.Seasons {
		if err := add(season.ID); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c codes) text(number uint64) string {
	if text, known := c[number]; known {
		return text
	}
	text := fmt.Sprintf("unknown %x", number)
	c[number] = text
	return text
}
