//go:build race

package event_test

// raceDetector: under it sync.Pool forgets on purpose, so that allocations cannot be counted.
const raceDetector = true
