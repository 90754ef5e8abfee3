package postcode

// Index answers which LSOA a postcode lies in. It is made by [Read] and not changed after that, so that several
// goroutines may use it at once. A nil Index knows nothing.
type Index struct {
}
