package main

import (
	"strings"
	"testing"
)

const row = "a,b,c,2025-10-01,1,1,2\n"

func TestRun(t *testing.T) {
	for _, c := range []struct {
		args, stdin, out, err string // how out and err begin
	}{
		{"--help", "", "usage: measure [--floor N] FILE.csv\n", ""},
		{"", "", "", "usage: measure [--floor N] FILE.csv"},
		{"-", "programme,season,geography,day,quintile,covered,eligible\n" + row, `{"programme":"a","season":"b","geography":"c","day":"2025-10-01","gap":null,`, ""},
		{"-", "programme,season,geography,day,quintile,covered,eligible\n" + row + row, "", "standard input: row 3: must not have the same"},
		{"--floor", "", "", "flag needs an argument: -floor"},
	} {
		var out, message strings.Builder
		if err := run(t.Context(), strings.Fields(c.args), strings.NewReader(c.stdin), &out); err != nil {
			message.WriteString(err.Error())
		}
		for _, got := range [][2]string{{out.String(), c.out}, {message.String(), c.err}} {
			if !strings.HasPrefix(got[0], got[1]) || got[1] == "" && got[0] != "" {
				t.Errorf("%s: got %q, should be %q", c.args, got[0], got[1])
			}
		}
	}
}
