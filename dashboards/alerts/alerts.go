// Package alerts holds the alert rules: a YAML file for each, and its query in the .sql file of the same name. The package
// services/internal/alerting reads them.
package alerts

import "embed"

// Files are the rules and their queries.
//
//go:embed *.yaml *.sql
var Files embed.FS
