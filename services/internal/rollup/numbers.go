package rollup

// numbers is a map from one number to another, for tens of millions of look-ups: several times faster than Go's own.
type numbers struct {
	slots []numberSlot // a power of two of them, at most half of them taken
	shift uint         // 64 less the bits of an index
	taken int
}

type numberSlot struct {
	key   uint64
	value uint32 // one more than the value; 0: not taken
}

func (m *numbers) get(key uint64) (uint32, bool) {
	if m.slots == nil {
		return 0, false
	}
	if s := m.slot(key); s.value != 0 {
		return s.value - 1, true
	}
	return 0, false
}

// slot is where a key stands, or would.
func (m *numbers) slot(key uint64) *numberSlot {
	for i := key * goldenRatio >> m.shift; ; i = (i + 1) & uint64(len(m.slots)-1) {
		if s := &m.slots[i]; s.value == 0 || s.key == key {
			return s
		}
	}
}

// goldenRatio is 2^64 divided by it: multiplied with it, near numbers come to lie far apart.
const goldenRatio = 0x9E3779B97F4A7C15

// set takes values below the greatest uint32.
func (m *numbers) set(key uint64, value uint32) {
	if 2*(m.taken+1) > len(m.slots) {
		old := m.slots
		m.slots, m.shift = make([]numberSlot, max(64, 2*len(old))), m.shift-1
		if old == nil {
			m.shift = 64 - 6
		}
		for _, s := range old {
			if s.value != 0 {
				*m.slot(s.key) = s
			}
		}
	}
	s := m.slot(key)
	if s.value == 0 {
		m.taken++
	}
	*s = numberSlot{key, value + 1}
}
