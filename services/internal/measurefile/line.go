package measurefile

import (
	"encoding/json"
	"io"
	"strconv"

	"gapwatch/services/internal/inequality"
)

// Line is one line of output: the measures of one geography on one day. What was not computed is null, and NotComputed
// says why. Shares are fractions of 1, intervals hold 95 %; gap and SII are positive when the least deprived do better.
// See [inequality.Measures] for the definitions.
type Line struct {
	Programme string `json:"programme"`
	Season    string `json:"season"`
	Geography string `json:"geography"`
	Day       string `json:"day"` // YYYY-MM-DD

	Gap       *float64 `json:"gap"` // uptake of quintile 5 less that of quintile 1
	GapLow    *float64 `json:"gap_low"`
	GapHigh   *float64 `json:"gap_high"`
	Ratio     *float64 `json:"ratio"` // uptake of quintile 1 over that of quintile 5
	RatioLow  *float64 `json:"ratio_low"`
	RatioHigh *float64 `json:"ratio_high"`
	SII       *float64 `json:"sii"` // on the logit scale
	SIILow    *float64 `json:"sii_low"`
	SIIHigh   *float64 `json:"sii_high"`
	RII       *float64 `json:"rii"` // on the logit scale
	RIILow    *float64 `json:"rii_low"`
	RIIHigh   *float64 `json:"rii_high"`

	LinearSII     *float64 `json:"sii_linear"`
	LinearSIILow  *float64 `json:"sii_linear_low"`
	LinearSIIHigh *float64 `json:"sii_linear_high"`
	LinearRII     *float64 `json:"rii_linear"`
	LinearRIILow  *float64 `json:"rii_linear_low"`
	LinearRIIHigh *float64 `json:"rii_linear_high"`

	ShortToBest *uint64     `json:"people_short_to_best"` // of all quintiles together
	Quintiles   [5]Quintile `json:"quintiles"`            // 1 to 5

	// NotComputed is why, by the key of the measure; quintile_1 to quintile_5 for the interval of a quintile's uptake.
	NotComputed map[string]string `json:"not_computed"`
}

// Quintile is the uptake of one quintile with its interval.
type Quintile struct {
	Quintile int `json:"quintile"` // 1 = most deprived fifth to 5 = least
	// Uptake is the raw figure, above 1 and without an interval where more are covered than eligible. It is null where no
	// eligible people are known.
	Uptake *float64 `json:"uptake"`
	Low    *float64 `json:"low"`
	High   *float64 `json:"high"`
}

func writeLine(out io.Writer, k day, q inequality.Quintiles, floor uint64) error {
	m := inequality.Of(q, floor)
	l := Line{Programme: k.programme, Season: k.season, Geography: k.geography, Day: k.day.String(), NotComputed: map[string]string{}}
	l.put("gap", m.Gap, &l.Gap, &l.GapLow, &l.GapHigh)
	l.put("ratio", m.Ratio, &l.Ratio, &l.RatioLow, &l.RatioHigh)
	l.put("sii", m.SII, &l.SII, &l.SIILow, &l.SIIHigh)
	l.put("rii", m.RII, &l.RII, &l.RIILow, &l.RIIHigh)
	l.put("sii_linear", m.LinearSII, &l.LinearSII, &l.LinearSIILow, &l.LinearSIIHigh)
	l.put("rii_linear", m.LinearRII, &l.LinearRII, &l.LinearRIILow, &l.LinearRIIHigh)
	if short, ok := m.ShortAll.Get(); ok {
		l.ShortToBest = &short
	} else {
		l.NotComputed["people_short_to_best"] = m.ShortAll.NotComputed().String()
	}
	for i := range l.Quintiles {
		to := &l.Quintiles[i]
		to.Quintile = i + 1
		l.put("quintile_"+strconv.Itoa(i+1), m.Uptake[i], &to.Uptake, &to.Low, &to.High)
		if raw, ok := q[i].Uptake(); ok {
			to.Uptake = &raw
		}
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = out.Write(append(text, '\n'))
	return err
}

// put fills in a measure, or why there is none.
func (l *Line) put(key string, m inequality.Measure, value, low, high **float64) {
	e, ok := m.Get()
	if !ok {
		l.NotComputed[key] = m.NotComputed().String()
		return
	}
	*value, *low, *high = &e.Value, &e.Low, &e.High
}
