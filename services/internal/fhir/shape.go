package fhir

import "github.com/go-json-experiment/json/jsontext"

// The elements of FHIR R4 that are read, and of the resource's own elements also those that every sender sets and that are
// looked at for their type only. What is not here is not judged beyond being JSON. The JSON type of each must be the one that
// R4 says; a text of the types date, dateTime and instant is checked where it is read.

// base is what a resource of any type may have and must be understood.
type base struct {
	ImplicitRules     string           `json:"implicitRules"`
	ModifierExtension []jsontext.Value `json:"modifierExtension"`
}

type immunization struct {
	base
	ID                 string           `json:"id"`
	Meta               meta             `json:"meta"`
	Contained          []jsontext.Value `json:"contained"`
	Extension          []extension      `json:"extension"`
	Identifier         []identifier     `json:"identifier"`
	Status             string           `json:"status"`
	VaccineCode        *concept         `json:"vaccineCode"`
	Patient            *reference       `json:"patient"`
	OccurrenceDateTime string           `json:"occurrenceDateTime"`
	OccurrenceString   string           `json:"occurrenceString"`
	Recorded           string           `json:"recorded"`
	PrimarySource      bool             `json:"primarySource"`
	Location           *reference       `json:"location"`
	LotNumber          string           `json:"lotNumber"`
	ExpirationDate     string           `json:"expirationDate"`
	DoseQuantity       *quantity        `json:"doseQuantity"`
	Performer          []performer      `json:"performer"`
	IsSubpotent        bool             `json:"isSubpotent"`
	ProtocolApplied    []protocol       `json:"protocolApplied"`

	// From before R4: DSTU2 and STU3.
	WasNotGiven         jsontext.Value `json:"wasNotGiven"`
	NotGiven            jsontext.Value `json:"notGiven"`
	Date                jsontext.Value `json:"date"`
	VaccinationProtocol jsontext.Value `json:"vaccinationProtocol"`
	Reported            jsontext.Value `json:"reported"`
	Explanation         jsontext.Value `json:"explanation"`
	Practitioner        jsontext.Value `json:"practitioner"`
}

type observation struct {
	base
	ID                string           `json:"id"`
	Meta              meta             `json:"meta"`
	Contained         []jsontext.Value `json:"contained"`
	Identifier        []identifier     `json:"identifier"`
	Status            string           `json:"status"`
	Code              *concept         `json:"code"`
	Subject           *reference       `json:"subject"`
	EffectiveDateTime string           `json:"effectiveDateTime"`
	EffectiveInstant  string           `json:"effectiveInstant"`
	EffectivePeriod   *period          `json:"effectivePeriod"`
	EffectiveTiming   jsontext.Value   `json:"effectiveTiming"`
	Issued            string           `json:"issued"`
	Performer         []reference      `json:"performer"`
	DataAbsentReason  *concept         `json:"dataAbsentReason"`
	ValueQuantity     *quantity        `json:"valueQuantity"`
	HasMember         []reference      `json:"hasMember"`
	Component         []component      `json:"component"`

	// From before R4: DSTU2 and STU3.
	Related jsontext.Value `json:"related"`
	Context jsontext.Value `json:"context"`
}

type meta struct {
	VersionID   string `json:"versionId"`
	LastUpdated string `json:"lastUpdated"`
}

type identifier struct {
	Use    string `json:"use"`
	System string `json:"system"`
	Value  string `json:"value"`
}

type reference struct {
	Reference  string      `json:"reference"`
	Type       string      `json:"type"`
	Identifier *identifier `json:"identifier"`
}

type concept struct {
	Coding []coding `json:"coding"`
}

type coding struct {
	System string `json:"system"`
	Code   string `json:"code"`
}

type extension struct {
	URL                  string   `json:"url"`
	ValueCodeableConcept *concept `json:"valueCodeableConcept"`
}

type period struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type quantity struct {
	Value *float64 `json:"value"`
}

type performer struct {
	ModifierExtension []jsontext.Value `json:"modifierExtension"`
	Function          *concept         `json:"function"`
	Actor             *reference       `json:"actor"`
}

type protocol struct {
	ModifierExtension     []jsontext.Value `json:"modifierExtension"`
	TargetDisease         []concept        `json:"targetDisease"`
	DoseNumberPositiveInt *int64           `json:"doseNumberPositiveInt"`
	DoseNumberString      string           `json:"doseNumberString"`

	DoseNumber jsontext.Value `json:"doseNumber"` // R5
}

type component struct {
	ModifierExtension []jsontext.Value `json:"modifierExtension"`
	Code              *concept         `json:"code"`
	ValueQuantity     *quantity        `json:"valueQuantity"`
	ValueInteger      *int64           `json:"valueInteger"`
	DataAbsentReason  *concept         `json:"dataAbsentReason"`
}

type patient struct {
	base
	Contained            []jsontext.Value `json:"contained"`
	Extension            []extension      `json:"extension"`
	Identifier           []identifier     `json:"identifier"`
	Active               bool             `json:"active"`
	Gender               string           `json:"gender"`
	BirthDate            string           `json:"birthDate"`
	Address              []address        `json:"address"`
	GeneralPractitioner  []reference      `json:"generalPractitioner"`
	ManagingOrganization *reference       `json:"managingOrganization"`
	Link                 []link           `json:"link"`
}

type address struct {
	Use        string  `json:"use"`
	Type       string  `json:"type"`
	PostalCode string  `json:"postalCode"`
	Period     *period `json:"period"`
}

type link struct {
	Type string `json:"type"`
}

// party is an Organization, Location, HealthcareService or PractitionerRole, as far as it says an organisation.
type party struct {
	Contained            []jsontext.Value `json:"contained"`
	Identifier           []identifier     `json:"identifier"`
	Organization         *reference       `json:"organization"`
	ManagingOrganization *reference       `json:"managingOrganization"`
	ProvidedBy           *reference       `json:"providedBy"`
}
