// Package mapping says which programme a vaccination or a health check counts for, by tables that a lead can edit
// (schemas/mapping).
package mapping

import "gapwatch/services/internal/programme"

// Tables are the tables of a deployment, made by [Load]. They are not changed after that.
type Tables struct {
}

// Load reads the tables in a folder; an empty one means those that are part of the binary. An error is for stopping at
// start: it names file, row, column and rule of everything that is wrong.
func Load(folder string, set *programme.Set) (*Tables, error) { return &Tables{}, nil }

// Notes is what a lead should know about the tables and does not stop a start, a line each, fit for a log.
func (t *Tables) Notes() []string { return nil }
