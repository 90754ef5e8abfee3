package simulate

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMarkKeepsTheHistoryOfTheFirstStart(t *testing.T) {
	first := time.Date(2026, 11, 22, 9, 30, 1, 500, time.UTC)
	s := Settings{Seed: 3, People: 1000, MarkFile: filepath.Join(t.TempDir(), "mark.json")}
	m, err := s.ReadMark(first)
	if err != nil || !m.Now.Equal(first.Truncate(time.Second)) || m.Published {
		t.Fatalf("the first start: %+v, %v", m, err)
	}
	if again, err := s.ReadMark(first.AddDate(0, 0, 2)); err != nil || !again.Now.Equal(m.Now) || again.Published {
		t.Errorf("two days later: %+v, %v", again, err)
	}
	if err := m.SetPublished(); err != nil {
		t.Fatal(err)
	}
	if again, err := s.ReadMark(first.AddDate(0, 0, 2)); err != nil || !again.Now.Equal(m.Now) || !again.Published {
		t.Errorf("after the history was published: %+v, %v", again, err)
	}
	s.People = 2000
	if _, err := s.ReadMark(first); err == nil || !strings.Contains(err.Error(), "1000 people with seed 3") {
		t.Errorf("of other people: %v", err)
	}
}

func TestMarkWithoutAFileIsOfNow(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 30, 1, 0, time.UTC)
	m, err := Settings{Seed: 3}.ReadMark(now)
	if err != nil || !m.Now.Equal(now) {
		t.Errorf("%+v, %v", m, err)
	}
	if err := m.SetPublished(); err != nil {
		t.Error(err)
	}
}
