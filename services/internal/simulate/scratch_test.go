package simulate

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"gapwatch/services/internal/event"
	"gapwatch/services/internal/programme"
)

func TestScratch(t *testing.T) {
	set, err := programme.Load("")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	t0 := time.Now()
	h, err := New(Config{Seed: 1, Now: now, Programmes: set})
	if err != nil {
		t.Fatal(err)
	}
	t1 := time.Now()
	n, bytes := 0, 0
	for m := range h.Messages() {
		n++
		bytes += len(m.Payload)
	}
	t2 := time.Now()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	fmt.Println("build", t1.Sub(t0), "encode", t2.Sub(t1), n, bytes/n, "cells", h.truth.Len(), "eligible", len(h.eligible), "heap MB", ms.HeapAlloc>>20, "sys", ms.Sys>>20)
	fmt.Printf("%+v\n", h.Expected())
	per := map[string]int{}
	for _, d := range h.drafts {
		if d.flags&invalid == 0 {
			per[set.Programmes[d.programme].ID]++
		}
	}
	fmt.Println(per)
	dec := &event.Decoder{Programmes: set, Now: func() time.Time { return now }}
	bad := 0
	rej := map[event.Reason]int{}
	i := 0
	for m := range h.Messages() {
		d := &h.drafts[h.order[i]]
		i++
		_, r := dec.Decode(m.Subject, m.Payload)
		if r != nil {
			rej[r.Reason]++
		}
		if (r != nil) != (d.flags&invalid != 0) && bad < 10 {
			bad++
			fmt.Println(r, m.Subject, string(m.Payload))
		}
	}
	fmt.Println(rej)
}

func TestWiden(t *testing.T) {
	set, _ := programme.Load("")
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	gap := func(w *Widening) {
		h, err := New(Config{Seed: 1, Now: now, Programmes: set, Widening: w, People: 1500000})
		if err != nil {
			t.Fatal(err)
		}
		from := UsualWidening(h.today).From
		var elig, cov [2][6]float64
		for _, e := range h.eligible {
			p := set.Programmes[e.programme]
			if p.ID == "flu-65" && p.Seasons[e.season].ID == "2026-27" && e.from > p.Seasons[e.season].Start {
				s := h.land.spots[e.group.spot]
				i := 1
				if s.place == 1 {
					i = 0
				}
				elig[i][s.quintile] += float64(e.people)
			}
		}
		byDay := map[int]map[int][6]float64{}
		_ = cov
		for c := range h.Truth().Cells() {
			if c.Programme != "flu-65" || c.Season != "2026-27" || c.Level != LevelNeighbourhood {
				continue
			}
			i := 1
			if c.Place == "X07000001" {
				i = 0
			}
			d := int(c.Day - from)
			if byDay[d] == nil {
				byDay[d] = map[int][6]float64{}
			}
			x := byDay[d][i]
			x[c.Quintile] += float64(c.Newly)
			byDay[d][i] = x
		}
		var sum [2][6]float64
		for d := -40; d <= 20; d++ {
			for i := range 2 {
				for q := range 6 {
					sum[i][q] += byDay[d][i][q]
				}
			}
			if d%7 == -1 || d%7 == 6 || d == 19 || d == 20 {
				fmt.Print("day ", d)
				for i := range 2 {
					for q := 1; q < 6; q++ {
						fmt.Printf(" %5.1f", 100*sum[i][q]/elig[i][q])
					}
					fmt.Printf(" gap %5.1f |", 100*(sum[i][5]/elig[i][5]-sum[i][1]/elig[i][1]))
				}
				fmt.Println()
			}
		}
		fmt.Println(elig)
	}
	gap(&Widening{})
	gap(nil)
}
