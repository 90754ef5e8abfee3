// Package settings reads a service's settings from environment variables named GAPWATCH_*. It closes the traps of
// envconfig: a mistyped variable, an empty required one and a negative duration are errors.
package settings

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

const prefix = "GAPWATCH_"

// Load fills a struct whose fields are tagged with the whole name of their variable:
//
//	type config struct {
//		settings.Service
//		Batch int `envconfig:"GAPWATCH_COLLECTOR_BATCH" default:"20000"`
//	}
//
// An error is for stopping at start. It names every variable that is wrong and the rule; a value only where its kind
// (number, duration, yes or no) cannot be a secret. A GAPWATCH_ variable that no service knows is wrong: see [Names].
func Load(spec any) error {
	return load(spec, os.Environ())
}

func load(spec any, environ []string) error {
	value := reflect.ValueOf(spec)
	if value.Kind() != reflect.Pointer || value.Elem().Kind() != reflect.Struct {
		return errors.New("settings: not a pointer to a struct")
	}
	errs := unknown(environ)
	// With an empty prefix a tagged field is looked up under its tag and nothing else.
	if err := envconfig.Process("", spec); err != nil {
		errs = append(errs, plainly(err))
	} else {
		errs = append(errs, check(value.Elem())...)
	}
	if len(errs) > 0 {
		return fmt.Errorf("settings: %w", errors.Join(errs...))
	}
	return nil
}

// unknown finds the variables that no service knows and guesses what was meant.
func unknown(environ []string) []error {
	var errs []error
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, prefix) || Known(name) {
			continue
		}
		err := fmt.Errorf("%s is not a setting of any service", name)
		if near, ok := nearest(name); ok {
			err = fmt.Errorf("%w; is it %s?", err, near)
		}
		errs = append(errs, err)
	}
	sort.Slice(errs, func(i, j int) bool { return errs[i].Error() < errs[j].Error() })
	return errs
}

func plainly(err error) error {
	var parse *envconfig.ParseError
	if !errors.As(err, &parse) {
		return err // "required key GAPWATCH_X missing value"
	}
	switch kind := strings.TrimPrefix(parse.TypeName, "time."); kind {
	case "Duration":
		return fmt.Errorf("%s is %q, not a duration such as 500ms or 10s", parse.KeyName, parse.Value)
	case "bool":
		return fmt.Errorf("%s is %q, not true or false", parse.KeyName, parse.Value)
	case "int", "int32", "int64", "uint", "uint32", "uint64":
		return fmt.Errorf("%s is %q, not a whole number", parse.KeyName, parse.Value)
	case "float64":
		return fmt.Errorf("%s is %q, not a number", parse.KeyName, parse.Value)
	default:
		return fmt.Errorf("%s is not a %s", parse.KeyName, parse.TypeName)
	}
}

// check applies the rules that envconfig does not have.
func check(s reflect.Value) []error {
	var errs []error
	for i := range s.NumField() {
		field, value := s.Type().Field(i), s.Field(i)
		name := field.Tag.Get("envconfig")
		switch {
		case field.Anonymous && value.Kind() == reflect.Struct:
			errs = append(errs, check(value)...)
		case name == "":
			errs = append(errs, fmt.Errorf("field %s has no envconfig tag", field.Name))
		case !Known(name):
			errs = append(errs, fmt.Errorf("%s is missing from settings.Names", name))
		case field.Tag.Get("required") == "true" && value.Kind() == reflect.String && strings.TrimSpace(value.String()) == "":
			errs = append(errs, fmt.Errorf("%s is required and is empty", name))
		case field.Type == reflect.TypeFor[time.Duration]() && value.Int() < 0:
			errs = append(errs, fmt.Errorf("%s is %s: a duration must not be negative", name, time.Duration(value.Int())))
		}
	}
	return errs
}

// nearest is the known name that differs in the fewest letters, if it differs in few.
func nearest(name string) (string, bool) {
	best, distance := "", 4
	for _, n := range Names {
		if d := edits(name, n.Name); d < distance {
			best, distance = n.Name, d
		}
	}
	return best, best != ""
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
