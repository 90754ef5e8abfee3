package load_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gapwatch/services/internal/load"
)

const (
	historyHeader       = "programme,season,geography,day,quintile,covered,eligible\n"
	interventionsHeader = "programme,geography,from,to,label\n"
	flagsHeader         = "code,label,source,from,to\n"
	imdHeader           = "LSOA code (2021),Local Authority District code (2024),IMD rank,IMD decile,IMD quintile\n"
	practicesHeader     = "practice,pcn\n"
	changesHeader       = "LSOA11CD,LSOA21CD,CHGIND\n"
	placesHeader        = "LSOA21CD,LAD24CD\n"

	eligibleRow = "flu-65,2024-25,E01000001,A81001,A,2024-10-03,12\n"
	historyRow  = "flu,2020,E92000001,2021-08-04,1,7,70\n"
)

// Every rule of every kind of file, each broken once: the row and column of the error, and its words.
func TestWrongFiles(t *testing.T) {
	const (
		id      = "must be an id: small letters, digits and hyphens"
		code    = "must be a code of letters, digits, full stops, hyphens and underscores"
		date    = "must be a date (YYYY-MM-DD) from 1900-01-01 to 2299-12-31"
		lsoa    = "must be an LSOA code: E, W, S, N or X and eight digits"
		area    = "must be an ONS code, a letter and eight digits, or empty"
		ods     = "must be an ODS code: 3 to 12 capital letters and digits"
		grain   = "must be given in every row of one programme, season and valid_from or in none; row 2 is otherwise"
		unknown = "its columns are those of no file that can be loaded"
	)
	type problem = load.Problem
	for name, c := range map[string]struct {
		content string
		want    []problem
	}{
		// files as such
		"empty":               {"", []problem{{Rule: "is empty"}}},
		"header only":         {eligibleHeader, []problem{{Rule: "has no rows below its header"}}},
		"look-up only header": {placesHeader, []problem{{Rule: "has no rows below its header"}}},
		"blank rows only":     {eligibleHeader + ",,,,,,\n\n", []problem{{Rule: "has no rows below its header"}}},
		"unknown columns":     {"a,b\n1,2\n", []problem{{Row: 1, Rule: unknown}}},
		"other years":         {"LSOA21CD,LAD23CD\nE01000001,E06000001\n", []problem{{Row: 1, Rule: unknown + " (LAD23CD is of 2023: areas are those of 2024 by the 2021 LSOA)"}}},
		"column missing":      {"programme,season,lsoa,practice,valid_from,eligible\n", []problem{{Row: 1, Column: "ethnicity", Rule: "is missing: a file of kind eligible has the columns programme, season, lsoa, practice, ethnicity, valid_from, eligible"}}},
		"column twice":        {"programme,Programme,geography,from,to,label\n", []problem{{Row: 1, Rule: "columns 1 and 2 have the same name"}}},
		"too many fields":     {historyHeader + strings.Replace(historyRow, "\n", ",8\n", 1), []problem{{Row: 2, Rule: "has 8 fields, the header has 7"}}},
		"too few fields":      {historyHeader + "flu,2020\n" + historyRow, []problem{{Row: 2, Rule: "has 2 fields, the header has 7"}}},
		"quote":               {historyHeader + historyRow + "flu,\"2020\"x\"\n", []problem{{Row: 3, Rule: "is not CSV: extraneous or missing \" in quoted-field"}}},
		"workbook":            {"PK\x03\x04rest", []problem{{Rule: "is an Excel workbook or another archive: save it as CSV UTF-8"}}},
		"UTF-16":              {"\xff\xfep\x00", []problem{{Rule: "is UTF-16: save it as CSV UTF-8"}}},
		"Windows-1252":        {interventionsHeader + "flu-65,Caf\xe9,2024-11-01,,Calls\n", []problem{{Row: 2, Column: "geography", Rule: "is not UTF-8: save the file as CSV UTF-8"}}},
		"header not UTF-8":    {"caf\xe9,b\n", []problem{{Row: 1, Rule: "is not UTF-8: save it as CSV UTF-8"}}},
		"row of a quoted line break": {interventionsHeader + "flu-65,E06000001,2024-11-01,,\"two\nlines\"\nflu-65,E06000001,x,,Calls\n",
			[]problem{{Row: 2, Column: "label", Rule: "must be text of 1 to 200 characters on one line"}, {Row: 4, Column: "from", Rule: date}}},

		// eligible people
		"eligible programme": {eligibleHeader + "flu,2024-25,E01000001,,,2024-10-03,12\n", []problem{{Row: 2, Column: "programme", Rule: "must be a programme of programmes.yaml"}}},
		"eligible season":    {eligibleHeader + "flu-65,2023-24,E01000001,,,2024-10-03,12\n", []problem{{Row: 2, Column: "season", Rule: "must be a season of the programme in programmes.yaml (rolling for rolling programmes)"}}},
		"eligible rolling":   {eligibleHeader + "bp-check,2024-25,E01000001,,,2024-10-03,12\n", []problem{{Row: 2, Column: "season", Rule: "must be a season of the programme in programmes.yaml (rolling for rolling programmes)"}}},
		"eligible after the end": {eligibleHeader + "flu-65,2024-25,E01000001,,,2025-03-31,12\nflu-65,2024-25,E01000001,,,2025-04-01,12\n",
			[]problem{{Row: 3, Column: "valid_from", Rule: "must not be after the season's end, 2025-03-31"}}},
		"eligible date":      {eligibleHeader + "flu-65,2024-25,E01000001,,,03/10/2024,12\n", []problem{{Row: 2, Column: "valid_from", Rule: date}}},
		"eligible no day":    {eligibleHeader + "flu-65,2024-25,E01000001,,,2025-02-29,12\n", []problem{{Row: 2, Column: "valid_from", Rule: date}}},
		"eligible 1899":      {eligibleHeader + "flu-65,2024-25,E01000001,,,1899-12-31,12\n", []problem{{Row: 2, Column: "valid_from", Rule: date}}},
		"eligible lsoa":      {eligibleHeader + "flu-65,2024-25,E0100001,,,2024-10-03,12\n", []problem{{Row: 2, Column: "lsoa", Rule: lsoa}}},
		"eligible practice":  {eligibleHeader + "flu-65,2024-25,E01000001,a81001,A,2024-10-03,12\n", []problem{{Row: 2, Column: "practice", Rule: ods}}},
		"eligible ethnicity": {eligibleHeader + "flu-65,2024-25,E01000001,A81001,O,2024-10-03,12\n", []problem{{Row: 2, Column: "ethnicity", Rule: "must be a code of the NHS ethnic category 2001: A to H, J to N, P, R, S or Z"}}},
		"eligible negative":  {eligibleHeader + "flu-65,2024-25,E01000001,,,2024-10-03,-1\n", []problem{{Row: 2, Column: "eligible", Rule: "must be a whole number from 0 to 4294967295"}}},
		"eligible fraction":  {eligibleHeader + "flu-65,2024-25,E01000001,,,2024-10-03,1.5\n", []problem{{Row: 2, Column: "eligible", Rule: "must be a whole number from 0 to 4294967295"}}},
		"eligible too many":  {eligibleHeader + "flu-65,2024-25,E01000001,,,2024-10-03,4294967296\n", []problem{{Row: 2, Column: "eligible", Rule: "must be a whole number from 0 to 4294967295"}}},
		"eligible twice": {eligibleHeader + eligibleRow + "flu-65,2024-25,E01000002,A81001,A,2024-10-03,1\n" + strings.Replace(eligibleRow, ",12", ",13", 1),
			[]problem{{Row: 4, Rule: "must not have the same programme, season, lsoa, practice, ethnicity, valid_from as row 2"}}},
		"eligible grain of practice": {eligibleHeader + eligibleRow + "flu-65,2024-25,E01000001,,A,2024-10-03,12\n",
			[]problem{{Row: 3, Column: "practice", Rule: grain}}},
		"eligible grain of ethnicity": {eligibleHeader + strings.Replace(eligibleRow, ",A,", ",,", 1) + eligibleRow,
			[]problem{{Row: 3, Column: "ethnicity", Rule: grain}}},
		"eligible, all of a row": {eligibleHeader + "flu-65,2024-25,E1,?,?,x,x\n", []problem{{Row: 2, Column: "valid_from", Rule: date}, {Row: 2, Column: "lsoa", Rule: lsoa},
			{Row: 2, Column: "practice", Rule: ods}, {Row: 2, Column: "ethnicity", Rule: "must be a code of the NHS ethnic category 2001: A to H, J to N, P, R, S or Z"}, {Row: 2, Column: "eligible", Rule: "must be a whole number from 0 to 4294967295"}}},

		// published history
		"history programme": {historyHeader + "Flu 65,2020,E92000001,2021-08-04,1,7,70\n", []problem{{Row: 2, Column: "programme", Rule: id}}},
		"history season":    {historyHeader + "flu,2020/21,E92000001,2021-08-04,1,7,70\n", []problem{{Row: 2, Column: "season", Rule: id}}},
		"history long id":   {historyHeader + "flu," + strings.Repeat("a", 65) + ",E92000001,2021-08-04,1,7,70\n", []problem{{Row: 2, Column: "season", Rule: "must have at most 64 characters"}}},
		"history geography": {historyHeader + "flu,2020,North Moor,2021-08-04,1,7,70\n", []problem{{Row: 2, Column: "geography", Rule: code}}},
		"history day":       {historyHeader + "flu,2020,E92000001,2021-8-4,1,7,70\n", []problem{{Row: 2, Column: "day", Rule: date}}},
		"history quintile":  {historyHeader + "flu,2020,E92000001,2021-08-04,6,7,70\n", []problem{{Row: 2, Column: "quintile", Rule: "must be a whole number from 0 to 5"}}},
		"history covered":   {historyHeader + "flu,2020,E92000001,2021-08-04,1,-7,70\n", []problem{{Row: 2, Column: "covered", Rule: "must be a whole number from 0 to 9007199254740992"}}},
		"history eligible":  {historyHeader + "flu,2020,E92000001,2021-08-04,1,7,\n", []problem{{Row: 2, Column: "eligible", Rule: "must be a whole number from 0 to 9007199254740992"}}},
		"history twice": {historyHeader + historyRow + "flu,2020,E92000001,2021-08-05,1,7,70\n" + historyRow + historyRow,
			[]problem{{Row: 4, Rule: "must not have the same programme, season, geography, day, quintile as row 2"},
				{Row: 5, Rule: "must not have the same programme, season, geography, day, quintile as row 2"}}},

		// interventions
		"intervention programme": {interventionsHeader + "flu,E06000001,2024-11-01,,Calls\n", []problem{{Row: 2, Column: "programme", Rule: "must be a programme of programmes.yaml"}}},
		"intervention geography": {interventionsHeader + "flu-65,,2024-11-01,,Calls\n", []problem{{Row: 2, Column: "geography", Rule: code}}},
		"intervention from":      {interventionsHeader + "flu-65,E06000001,,,Calls\n", []problem{{Row: 2, Column: "from", Rule: date}}},
		"intervention to":        {interventionsHeader + "flu-65,E06000001,2024-11-01,soon,Calls\n", []problem{{Row: 2, Column: "to", Rule: date}}},
		"intervention backwards": {interventionsHeader + "flu-65,E06000001,2024-11-01,2024-10-31,Calls\n", []problem{{Row: 2, Column: "to", Rule: "must not be before from"}}},
		"intervention label":     {interventionsHeader + "flu-65,E06000001,2024-11-01,,\n", []problem{{Row: 2, Column: "label", Rule: "must be text of 1 to 200 characters on one line"}}},
		"intervention twice": {interventionsHeader + "flu-65,E06000001,2024-11-01,,Calls\nflu-65,E06000001,2024-11-01,2024-11-02,Calls\n",
			[]problem{{Row: 3, Rule: "must not have the same programme, geography, from, label as row 2"}}},

		// flags
		"flag code":   {flagsHeader + "here and there,left behind,invented,2023-01-01,\n", []problem{{Row: 2, Column: "code", Rule: code}}},
		"flag label":  {flagsHeader + "E02000001,,invented,2023-01-01,\n", []problem{{Row: 2, Column: "label", Rule: "must be text of 1 to 200 characters on one line"}}},
		"flag source": {flagsHeader + "E02000001,left behind,,2023-01-01,\n", []problem{{Row: 2, Column: "source", Rule: "must be text of 1 to 500 characters on one line"}}},
		"flag from":   {flagsHeader + "E02000001,left behind,invented,2023,\n", []problem{{Row: 2, Column: "from", Rule: date}}},
		"flag to":     {flagsHeader + "E02000001,left behind,invented,2023-01-01,2022-01-01\n", []problem{{Row: 2, Column: "to", Rule: "must not be before from"}}},
		"flag twice": {flagsHeader + "E02000001,left behind,invented,2023-01-01,\nE02000001,left behind,invented,2023-01-01,2024-01-01\n",
			[]problem{{Row: 3, Rule: "must not have the same code, label, source, from as row 2"}}},

		// look-ups
		"IMD lsoa":    {imdHeader + "E01,E06000001,1,1,1\n", []problem{{Row: 2, Column: "LSOA code (2021)", Rule: lsoa}}},
		"IMD rank":    {imdHeader + "E01000001,E06000001,0,1,1\n", []problem{{Row: 2, Column: "IMD rank", Rule: "must be a whole number from 1 to 4294967295"}}},
		"IMD decile":  {imdHeader + "E01000001,E06000001,1,11,1\n", []problem{{Row: 2, Column: "IMD decile", Rule: "must be a whole number from 1 to 10"}}},
		"IMD fifth":   {imdHeader + "E01000001,E06000001,1,1,5\n", []problem{{Row: 2, Column: "IMD quintile", Rule: "must be the fifth that the decile lies in, 1 being the most deprived"}}},
		"IMD twice":   {imdHeader + "E01000001,E06000001,1,1,1\nE01000001,E06000001,1,1,1\n", []problem{{Row: 3, Column: "LSOA code (2021)", Rule: "must not be there twice: row 2 has it"}}},
		"IMD upwards": {imdHeader + "E01000001,E06000001,1,10,5\nE01000002,E06000001,9,1,1\n", []problem{{Row: 3, Column: "IMD decile", Rule: "must not be smaller than that of row 2, whose rank is more deprived (1 = most deprived)"}}},
		"IMD 2015": {"LSOA code (2011),Local Authority District code (2013),Index of Multiple Deprivation (IMD) Rank (where 1 is most deprived),Index of Multiple Deprivation (IMD) Decile (where 1 is most deprived 10% of LSOAs)\nE01000001,E09000001,1,1\n",
			[]problem{{Row: 1, Column: "Local Authority District code (2013)", Rule: "must be of 2019: this is another edition of the IMD than that of 2019"}}},
		"changes from":    {changesHeader + ",E01000001,U\n", []problem{{Row: 2, Column: "LSOA11CD", Rule: lsoa}}},
		"changes to":      {changesHeader + "E01000001,,U\n", []problem{{Row: 2, Column: "LSOA21CD", Rule: lsoa}}},
		"changes letter":  {changesHeader + "E01000001,E01000001,Y\n", []problem{{Row: 2, Column: "CHGIND", Rule: "must be U (unchanged), S (split), M (merged) or X (other)"}}},
		"changes U":       {changesHeader + "E01000001,E01000002,U\n", []problem{{Row: 2, Column: "LSOA21CD", Rule: "must be the 2011 code where the change is U (unchanged)"}}},
		"places code":     {placesHeader + "E01000001,Northmoor\n", []problem{{Row: 2, Column: "LAD24CD", Rule: area}}},
		"places disagree": {placesHeader + "E01000001,E06000001\nE01000001,E06000001\nE01000001,E06000002\n", []problem{{Row: 4, Column: "LAD24CD", Rule: "must be what row 2 gives for the same code"}}},
		"places disagree after a blank": {placesHeader + "E01000001,\nE01000001,E06000001\nE01000001,E06000002\n",
			[]problem{{Row: 4, Column: "LAD24CD", Rule: "must be what row 3 gives for the same code"}}},
		"place of two names": {"LSOA21CD,LAD24CD,LAD24NM,RGN24CD\nE01000001,E06000001,,E12000001\nE01000002,E06000001,St Invented,E12000001\nE01000003,E06000001,St. Invented,E12000001\n",
			[]problem{{Row: 4, Column: "LAD24NM", Rule: "must be the name that row 3 gives for the same code"}}},
		"PCN of two names": {"practice,pcn,pcn name\nA81001,U10001,INVENTED PCN\nA81002,U10001,Invented PCN\n",
			[]problem{{Row: 3, Column: "pcn name", Rule: "must be the name that row 2 gives for the same code"}}},
		"code that two look-ups read": {"LSOA21CD,LAD24CD,RGN24CD\nE01000001,Northmoor,E12000001\n", []problem{{Row: 2, Column: "LAD24CD", Rule: area}}},
		"regions code":                {"LAD24CD,RGN24CD\nHere,E12000001\n", []problem{{Row: 2, Column: "LAD24CD", Rule: area}}},
		"practice":                    {practicesHeader + "A8 1001,U10001\n", []problem{{Row: 2, Column: "practice", Rule: ods}}},
		"practice and PCN":            {practicesHeader + "A81001,\n", []problem{{Row: 2, Column: "pcn", Rule: ods}}},
		"practice of two":             {practicesHeader + "A81001,U10001\nA81001,U10002\n", []problem{{Row: 3, Column: "pcn", Rule: "must be what row 2 gives for the same code"}}},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "wrong.csv", c.content)
			_, err := check(t, path)
			var problems *load.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("the file was taken, or: %v", err)
			}
			for i := range c.want {
				c.want[i].File = path
			}
			if !slices.Equal(problems.List, c.want) || problems.More != 0 {
				t.Errorf("got\n%v\nwant\n%v", err, &load.Problems{List: c.want})
			}
		})
	}
}

// What is wrong is told of all files, and how it is told.
func TestProblemsOfAllFilesAreTold(t *testing.T) {
	one, two := write(t, "one.csv", placesHeader+"E1,E06000001\n"), write(t, "two.csv", "")
	_, err := check(t, one, two)
	want := one + ": row 2: column LSOA21CD: must be an LSOA code: E, W, S, N or X and eight digits\n" + two + ": is empty"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// A file given by mistake may hold a person's number: no error repeats what is in a cell.
func TestNoErrorRepeatsACell(t *testing.T) {
	const number = "9434765919" // a test number of the NHS
	for _, content := range []string{
		eligibleHeader + strings.Repeat(number+",", 6) + number + "\n",
		historyHeader + strings.Repeat(number+" x,", 6) + number + "x\n",
		imdHeader + strings.Repeat(number+",", 4) + number + "\n",
		practicesHeader + number + "-," + number + "-\n",
		number + "," + number + "\n",
	} {
		_, err := check(t, write(t, "wrong.csv", content))
		if err == nil || strings.Contains(err.Error(), number) {
			t.Errorf("the error is %v", err)
		}
	}
}
