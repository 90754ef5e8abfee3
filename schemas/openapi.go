package schemas

import _ "embed" // the document

// OpenAPI describes the HTTP interface of intake, in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte
