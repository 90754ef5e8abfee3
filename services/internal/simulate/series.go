package simulate
type SeriesRow struct{}
