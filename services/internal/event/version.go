package event

import (
	"encoding/binary"
	"time"

	"github.com/zeebo/xxh3"
)

// Ranks of versions of one record that were made at the same time: the greatest decides.
const (
	rankFirst      = 0
	rankCorrection = 1
	rankRetraction = 2
)

const hashBits = 56

// NewRecordID names a record for good: xxh3 (128 bits, big-endian) of source, a zero byte and record.
func NewRecordID(source, record string) RecordID {
	id, _ := recordID(make([]byte, 0, 256), source, record)
	return id
}

func recordID(scratch []byte, source, record string) (RecordID, []byte) {
	scratch = append(scratch[:0], source...)
	scratch = append(scratch, 0)
	scratch = append(scratch, record...)
	return xxh3.Hash128(scratch).Bytes(), scratch
}

// NewVersion is the version of an event's content. Time, Status, Correction and all of data must be set; the CloudEvents
// id, source, Season and RecordID do not matter: a version that is sent again under a new id is the same version.
func NewVersion(e *Event) Version {
	v, _ := version(make([]byte, 0, 256), e)
	return v
}

// version writes the content in a form that has one spelling for one meaning, and hashes it. That form must never
// change: stored versions are compared with new ones.
func version(scratch []byte, e *Event) (Version, []byte) {
	rank := uint64(rankFirst)
	switch {
	case e.Status == EnteredInError:
		rank = rankRetraction
	case e.Correction:
		rank = rankCorrection
	}
	b := append(scratch[:0], 1, byte(e.Status), truth(e.Correction), e.Dose)
	b = binary.BigEndian.AppendUint32(b, uint32(e.Day))
	b = append(b, e.Person[:]...)
	b = append(b, e.Previous[:]...)
	// No field can hold a zero byte, so a zero byte between them keeps them apart.
	for _, text := range [...]string{e.PersonKey, e.Programme, e.Cohort, e.LSOA, e.Ethnicity, e.Practice, e.Provider} {
		b = append(b, text...)
		b = append(b, 0)
	}
	for _, group := range e.Plus {
		b = append(b, group...)
		b = append(b, 0)
	}
	return Version{
		Micros:     e.Time.UnixMicro(),
		Precedence: rank<<hashBits | xxh3.Hash(b)&(1<<hashBits-1),
	}, b
}

func truth(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// firstMoment is the first moment that a DateTime64 column can hold.
var firstMoment = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
