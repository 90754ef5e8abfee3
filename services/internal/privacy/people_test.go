package privacy_test

import (
	"fmt"
	"time"

	"gapwatch/services/internal/privacy"
)

// person is somebody who is sent once, under one name of the test. Nobody else has any of the values, and the values occur nowhere else.
type person struct {
	number, given, family, postcode, birth string
}

// spaced is the number in groups.
func (p person) spaced() string { return p.number[:3] + " " + p.number[3:6] + " " + p.number[6:] }

// dashed is the number in groups.
func (p person) dashed() string { return p.number[:3] + "-" + p.number[3:6] + "-" + p.number[6:] }

// compact is the postcode without its space.
func (p person) compact() string { return p.postcode[:4] + p.postcode[5:] }

// born is the birth date as NHS files have it.
func (p person) born() string { return p.birth[:4] + p.birth[5:7] + p.birth[8:] }

// people are all that were planted so far.
type people struct {
	n       int
	secrets []privacy.Secret
}

// plant makes a person. where says how the person is sent.
func (all *people) plant(where string) person {
	i := all.n
	all.n++
	p := person{
		number: nhsNumber(i), given: invented("Quv", i), family: invented("Zorv", i),
		postcode: fmt.Sprintf("ZX%d%d %d%c%c", i/6760%10, i/676%10, i/67%10, 'A'+i/26%26, 'A'+i%26),
		birth:    time.Date(1901, 1, 2, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i*13).Format(time.DateOnly),
	}
	for what, value := range map[string]string{"number": p.number, "wrong number": wrong(p.number), "given name": p.given, "family name": p.family, "postcode": p.postcode, "birth date": p.birth} {
		all.secrets = append(all.secrets, privacy.Secret{Name: where + ": " + what, Value: value})
	}
	return p
}

// nhsNumber is the i-th of the block 999, which is for tests and given to nobody.
func nhsNumber(i int) string {
	for n := 137_000 + i*149; ; n++ {
		digits := fmt.Sprintf("999%06d", n)
		sum := 0
		for at, digit := range digits {
			sum += int(digit-'0') * (10 - at)
		}
		if check := (11 - sum%11) % 11; check < 10 {
			return fmt.Sprint(digits, check)
		}
	}
}

// wrong is a number whose check digit is wrong.
func wrong(number string) string {
	return number[:9] + string('0'+(number[9]-'0'+1)%10)
}

// invented is a name that nobody has.
func invented(begin string, i int) string {
	const letters = "aeioubdfgklmnprst"
	text := begin
	for range 4 {
		text += letters[i%len(letters) : i%len(letters)+1]
		i /= len(letters)
	}
	return text + "ax"
}

// again is the i-th person.
func again(i int) person {
	all := people{n: i}
	return all.plant("")
}
