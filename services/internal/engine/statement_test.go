package engine

import (
	"strings"
	"testing"
)

func TestParseStatement(t *testing.T) {
	for _, test := range []struct {
		sql  string
		want statement
	}{
		{"", statement{}},
		{"SELECT 1", statement{}},
		{"SELECT 1 FORMAT JSON", statement{format: "JSON"}},
		{"select 1 format CSVWithNames ;\n-- the end", statement{format: "CSVWithNames"}},
		{"SELECT 1 FORMAT TSV SETTINGS max_threads = 1, format_csv_delimiter = 'FORMAT CSV'", statement{format: "TSV"}},
		{"SELECT 1 SETTINGS max_threads = 1 FORMAT TSV", statement{format: "TSV"}},
		{"SELECT ' FORMAT CSV'", statement{}},
		{"SELECT 'it''s \\' FORMAT CSV'", statement{}},
		{"SELECT 1 AS format", statement{}},
		{"SELECT format FROM t", statement{}},
		{"SELECT a, format x FROM t", statement{}},
		{"SELECT * FROM (SELECT 1 FORMAT JSON)", statement{}},
		{"SELECT count() FROM t FORMAT JSON /* FORMAT CSV */", statement{format: "JSON"}},
		{"SELECT format('{}', x) FROM t", statement{}},
		{"SHOW TABLES FORMAT Pretty", statement{format: "Pretty"}},
		{"INSERT INTO t FORMAT Native", statement{insert: true, external: true, format: "Native", head: "INSERT INTO t"}},
		{"INSERT INTO t (a, `b)`) FORMAT Native", statement{insert: true, external: true, format: "Native", head: "INSERT INTO t (a, `b)`)"}},
		{"insert into d.t (a) settings x = 1, y = 'FORMAT' format TSV\n1\n2\n", statement{
			insert: true, external: true, format: "TSV", head: "insert into d.t (a)", settings: "settings x = 1, y = 'FORMAT'", data: "1\n2\n",
		}},
		{"INSERT INTO `d`.\"t\" FORMAT JSONEachRow {\"a\": 1}", statement{
			insert: true, external: true, format: "JSONEachRow", head: "INSERT INTO `d`.\"t\"", data: "{\"a\": 1}",
		}},
		{"INSERT INTO settings FORMAT Native", statement{insert: true, external: true, format: "Native", head: "INSERT INTO settings"}},
		{"INSERT INTO TABLE FUNCTION file('x', 'CSV', 'a Int8') VALUES (1)", statement{
			insert: true, external: true, format: "Values", head: "INSERT INTO TABLE FUNCTION file('x', 'CSV', 'a Int8')", data: "(1)",
		}},
		{"INSERT INTO t SELECT 1 FORMAT Null", statement{insert: true}},
		{"INSERT INTO t (a) SELECT a FROM u", statement{insert: true}},
		{"INSERT INTO t SELECT a FROM input('a Int8') FORMAT CSV", statement{insert: true, input: true}},
		{"INSERT INTO t SELECT 'input(' AS input FROM inputs()", statement{insert: true}},
		{"/* note */ INSERT INTO t FROM INFILE 'x' FORMAT CSV", statement{insert: true}},
		{"INSERT INTO t FORMAT", statement{insert: true}},
		{"INSERT", statement{insert: true}},
		{"SELECT 'open", statement{}},
		{"SELECT 'open\\", statement{}},
		{"/* open", statement{}},
	} {
		if got := parseStatement(test.sql); got != test.want {
			t.Errorf("%q:\n got %+v\nwant %+v", test.sql, got, test.want)
		}
	}
}

func TestWithoutSync(t *testing.T) {
	for sql, want := range map[string]string{
		"DROP TABLE t SYNC":                     "DROP TABLE t ",
		"drop table if exists d.t sync;":        "drop table if exists d.t ;",
		"DROP DATABASE d NO DELAY":              "DROP DATABASE d ",
		"DROP TABLE sync":                       "DROP TABLE sync",
		"DROP TABLE d.sync SYNC":                "DROP TABLE d.sync ",
		"DROP VIEW IF EXISTS sync":              "DROP VIEW IF EXISTS sync",
		"DROP TABLE t -- SYNC":                  "DROP TABLE t -- SYNC",
		"ALTER TABLE t DROP COLUMN sync":        "ALTER TABLE t DROP COLUMN sync",
		"SELECT 1 AS sync":                      "SELECT 1 AS sync",
		"DROP TABLE `a SYNC b`":                 "DROP TABLE `a SYNC b`",
		"DROP TABLE t SYNC SETTINGS x = 'SYNC'": "DROP TABLE t  SETTINGS x = 'SYNC'",
	} {
		if got := withoutSync(sql); got != want {
			t.Errorf("%q: %q", sql, got)
		}
	}
}

func FuzzParseStatement(f *testing.F) {
	for _, sql := range []string{"SELECT 1 FORMAT JSON", "INSERT INTO t (a) SETTINGS x = 1 FORMAT CSV\n1", "'\\", "/*", "`", ")))("} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		s := parseStatement(sql)
		for _, part := range []string{s.format, s.head, s.settings, s.data} {
			if !strings.Contains(sql, part) && part != "Values" {
				t.Errorf("%q is not in the text", part)
			}
		}
	})
}

func TestParseException(t *testing.T) {
	for message, code := range map[string]int{
		"Code: 60. DB::Exception: Unknown table. (UNKNOWN_TABLE)":        60,
		"Received: Code: 62. DB::Exception: no":                          62,
		"No active streaming query":                                      codeOther,
		"Code: many. things":                                             codeOther,
		newException(codeAborted, "ABORTED", "The server stops").Error(): codeAborted,
	} {
		if got := parseException(message); got.Code != code || !strings.HasPrefix(got.Message, "Code: ") {
			t.Errorf("%q: %+v", message, got)
		}
	}
}
