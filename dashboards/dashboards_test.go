package dashboards

import "testing"

func TestLoad(t *testing.T) {
	all, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		queries, err := d.Queries()
		if err != nil {
			t.Fatal(err)
		}
		t.Log(d.File, d.UID, d.Title, len(queries))
	}
}
