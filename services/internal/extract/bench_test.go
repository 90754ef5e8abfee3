package extract_test

import (
	"fmt"
	"strings"
	"testing"

	"gapwatch/services/internal/extract"
)

// The mark is below 4 microseconds of CPU a row, so that what the door does with a file is not the reading of it.
func BenchmarkRead(b *testing.B) {
	const rows = 10_000
	var nhs []nhsRow
	text := `"Priorix vaccine powder and solvent for solution for injection 0.5ml pre-filled syringes (GlaxoSmithKline UK Ltd)"`
	for i := range rows {
		nhs = append(nhs, nhsRow{"UNIQUE_ID": fmt.Sprintf(`"MMR_CDFDPS-1330325--27-%05d"`, i), "VACCINE_PRODUCT_TERM": text, "PERSON_SURNAME": `"PRESCOT"`,
			"VACCINATION_PROCEDURE_TERM": `"Measles mumps and rubella vaccination - first dose (procedure)"`, "UNIQUE_ID_URI": `"https://www.ravs.england.nhs.uk/"`,
			"LOCATION_CODE_TYPE_URI": `"https://fhir.nhs.uk/Id/ods-organization-code"`, "ROUTE_OF_VACCINATION_TERM": `"Intramuscular route (qualifier value)"`})
	}
	var own strings.Builder
	own.WriteString("nhs_number,birth_date,postcode,programme,procedure_code,occurred_at,dose,record,time,source,revision,ethnicity,practice,provider\n")
	for i := range rows {
		fmt.Fprintf(&own, "9434765919,1961-04-03,NE23 1NW,flu-65,1181000221105,2026-10-03T09:30:00+01:00,1,7f0c2a1e-%07d,2026-10-03T09:31:00+01:00,https://sender.example,new,A,A81001,RJ1\n", i)
	}
	for _, c := range []struct {
		name, text string
		encoding   extract.Encoding
	}{
		{"nhs-batch", nhsFile(b, nhs...), extract.Undeclared},
		{"nhs-batch in Windows-1252", nhsFile(b, nhs...), extract.Windows1252},
		{"own", own.String(), extract.Undeclared},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.text)))
			for b.Loop() {
				n := 0
				for item, err := range extract.Read(strings.NewReader(c.text), extract.Options{Encoding: c.encoding}) {
					if err != nil || item.Problem != nil {
						b.Fatal(err, item.Problem)
					}
					n++
				}
				if n != rows {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
