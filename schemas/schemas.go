// Package schemas holds what Gapwatch and its users agree on: event schemas, subjects, tables and programmes.
package schemas

import "embed"

// Files is everything in this folder that a running service needs.
//
//go:embed migrations/*.sql programmes.yaml events/*.json cases/*.yaml mapping/*.csv
var Files embed.FS
