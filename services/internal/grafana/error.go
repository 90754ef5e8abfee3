package grafana

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Do says what whoever got an error should do.
type Do int

// What to do.
const (
	Retry  Do = iota + 1 // later, the same again: Grafana is away, starting or busy
	Reread               // read again what is there, since somebody else changed it, and try again
	Reject               // not with this content: Grafana will refuse it each time
	Stop                 // an administrator must repair something
)

// Error is any failure of a call. Its text tells an administrator what to do and holds no secret.
type Error struct {
	What    string // what was tried: "save dashboard gapwatch-feed"
	Status  int    // of the answer; 0 when there was none
	Message string // what Grafana, or what answered in its place, said
	Do      Do
	Advice  string // what an administrator should do; empty where there is nothing to add
	Missing string // names of the permissions that were missing, as Grafana lists them

	cause error
}

func (e *Error) Error() string {
	text := e.Message
	if e.Status != 0 {
		text = fmt.Sprintf("HTTP %d %s", e.Status, strings.ToLower(http.StatusText(e.Status)))
		if e.Message != "" {
			text += ": " + e.Message
		}
	}
	if e.What != "" {
		text = e.What + ": " + text
	}
	if e.Advice != "" {
		text += " (" + e.Advice + ")"
	}
	return text
}

func (e *Error) Unwrap() error { return e.cause }

// Judge says what to do about an error of this package, Stop for any other.
func Judge(err error) Do {
	var e *Error
	if errors.As(err, &e) {
		return e.Do
	}
	return Stop
}

// NotFound tells whether Grafana said that what was asked for does not exist.
func NotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound && e.Do != Stop
}

// Forbidden tells whether Grafana said that we may not.
func Forbidden(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusForbidden && e.Missing != ""
}

// named says what was tried; nil stays nil. An error that is not ours (the SDK could not read an answer) is made ours.
func named(what string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return &Error{What: what, Message: err.Error(), Do: Stop, Advice: "this Grafana answers in another form than version 12.4, which Gapwatch knows", cause: err}
	}
	copied := *e
	copied.What = what
	return &copied
}

// judge makes an error of an answer that is no success.
func judge(status int, body []byte, location string) *Error {
	e := &Error{Status: status}
	var said struct {
		Message string `json:"message"`
		Results map[string]struct {
			Error string `json:"error"`
		} `json:"results"` // of queries, which say nothing else when one failed
	}
	isJSON := json.Unmarshal(body, &said) == nil
	e.Message = said.Message
	for _, query := range slices.Sorted(maps.Keys(said.Results)) {
		if failed := said.Results[query].Error; failed != "" {
			e.Message = strings.TrimPrefix(e.Message+"; query "+query+": "+failed, "; ")
		}
	}
	if !isJSON && (len(body) > 0 || status != http.StatusNotFound) {
		e.Message = "not Grafana's API answered but " + looks(body)
	}
	const elsewhere = "is GAPWATCH_GRAFANA_URL the address of Grafana itself, with its sub-path if it has one, and not of a login page or proxy?"
	switch {
	case status >= 300 && status < 400:
		e.Do, e.Advice = Stop, elsewhere
		if location != "" {
			e.Message = "redirects to " + location
		}
	case status == http.StatusUnauthorized && isJSON:
		e.Do, e.Advice = Stop, "Grafana does not accept who we are: make a new token for the service account (Administration, Service accounts) and set GAPWATCH_GRAFANA_TOKEN, or correct the user and password in GAPWATCH_GRAFANA_URL"
	case status == http.StatusForbidden && isJSON:
		e.Do = Stop
		e.Advice = "the service account may not do this: give it the role Admin of the organisation"
		if _, missing, ok := strings.Cut(said.Message, "Permissions needed: "); ok {
			e.Missing = missing
			e.Advice += " or these permissions"
		}
		if strings.Contains(said.Message, "quota") {
			e.Advice = "raise the quota of the organisation"
		}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Do, e.Advice = Stop, "something in front of Grafana refuses us: "+elsewhere
	case status == http.StatusNotFound && (isJSON || len(body) == 0): // 12.4 says so of a rule without a word
		e.Do = Reject
	case status == http.StatusNotFound:
		e.Do, e.Advice = Stop, elsewhere
	case status == http.StatusConflict || status == http.StatusPreconditionFailed:
		e.Do = Reread
	case strings.Contains(said.Message, "cannot change provenance"): // seen with status 500
		e.Do, e.Advice = Stop, "it was provisioned in another way, from a file or through another tool: remove it there"
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		e.Do = Retry
		if !isJSON {
			e.Advice = "Grafana, or what stands in front of it, is starting or in trouble"
		} else if status == http.StatusInternalServerError {
			e.Advice = "Grafana's own log says why"
		}
	case isJSON:
		e.Do = Reject
	default:
		e.Do, e.Advice = Stop, elsewhere
	}
	return e
}

// looks says in a few words what a body that is not JSON is.
func looks(body []byte) string {
	start := strings.ToLower(strings.TrimSpace(string(body[:min(len(body), 512)])))
	if strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html") || strings.Contains(start, "<body") {
		return "a web page"
	}
	if start == "" {
		return "nothing"
	}
	line, _, _ := strings.Cut(start, "\n")
	return fmt.Sprintf("%.80q", line)
}
