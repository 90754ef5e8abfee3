package engine

import "strings"

// statement is what the handler must know of a query's text. The engine does the real parsing; this only finds the
// FORMAT clause and, for an insert, the place where its data begins.
type statement struct {
	insert bool
	input  bool   // an insert that selects from input(), which is data that the engine would not find
	format string // as written in the FORMAT clause, "" if there is none
	// For an insert whose data follows the text, in the FORMAT clause or after VALUES:
	external bool
	head     string // "INSERT INTO t (a, b)"
	settings string // "SETTINGS x = 1" or ""
	data     string // what followed the FORMAT clause in the same text, without the white space between
}

type token struct {
	text       string // words in upper case
	start, end int
	depth      int
	word       bool // a bare word: not quoted, not punctuation
}

// lexer cuts SQL into tokens: white space and comments are skipped, quoted text is one token.
type lexer struct {
	sql   string
	at    int
	depth int
}

func (l *lexer) next() (token, bool) {
	l.skip()
	if l.at >= len(l.sql) {
		return token{}, false
	}
	start := l.at
	c := l.sql[l.at]
	switch {
	case isWord(c):
		for l.at < len(l.sql) && isWord(l.sql[l.at]) {
			l.at++
		}
		return token{strings.ToUpper(l.sql[start:l.at]), start, l.at, l.depth, true}, true
	case c == '\'' || c == '"' || c == '`':
		l.at++
		for l.at < len(l.sql) && l.sql[l.at] != c {
			if l.sql[l.at] == '\\' {
				l.at++
			}
			l.at++
		}
		l.at = min(l.at+1, len(l.sql))
		return token{l.sql[start:l.at], start, l.at, l.depth, false}, true
	}
	depth := l.depth
	switch c {
	case '(', '[', '{':
		l.depth++
	case ')', ']', '}':
		l.depth--
		depth = l.depth
	}
	l.at++
	return token{l.sql[start:l.at], start, l.at, depth, false}, true
}

func (l *lexer) skip() {
	for l.at < len(l.sql) {
		rest := l.sql[l.at:]
		switch {
		case strings.ContainsRune(" \t\r\n\f\v", rune(rest[0])):
			l.at++
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "#!"), strings.HasPrefix(rest, "# "):
			l.at += lineEnd(rest)
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				l.at = len(l.sql)
				return
			}
			l.at += end + 4
		default:
			return
		}
	}
}

func lineEnd(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i + 1
	}
	return len(s)
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func parseStatement(sql string) statement {
	l := &lexer{sql: sql}
	first, ok := l.next()
	if !ok {
		return statement{}
	}
	if first.word && first.text == "INSERT" {
		return parseInsert(l)
	}
	return statement{format: trailingFormat(l)}
}

// withoutSync takes SYNC (or NO DELAY) off a DROP. This engine never runs the task that removes dropped tables' files,
// so that a DROP which waits for it would wait for ever; purgeDropped does its work at the next start. In a database
// of the engine Atomic the name is free at once either way.
func withoutSync(sql string) string {
	l := &lexer{sql: sql}
	if first, ok := l.next(); !ok || !first.is("DROP") {
		return sql
	}
	var previous token
	for t, ok := l.next(); ok; t, ok = l.next() {
		switch {
		case t.depth > 0:
		case t.is("SYNC") && !takesName(previous):
			return sql[:t.start] + sql[t.end:]
		case t.is("DELAY") && previous.is("NO"):
			return sql[:previous.start] + sql[t.end:]
		}
		previous = t
	}
	return sql
}

// trailingFormat finds "... FORMAT Name [SETTINGS ...] [;]".
func trailingFormat(l *lexer) string {
	var outer []token // outside brackets
	for t, ok := l.next(); ok; t, ok = l.next() {
		if t.depth == 0 && t.text != ";" {
			outer = append(outer, t)
		}
	}
	for i := len(outer) - 2; i > 0; i-- {
		clause, name := outer[i], outer[i+1]
		if clause.is("FORMAT") && name.word && !takesName(outer[i-1]) && (i+2 == len(outer) || outer[i+2].is("SETTINGS")) {
			return l.sql[name.start:name.end]
		}
	}
	return ""
}

func (t token) is(word string) bool { return t.word && t.text == word }

// takesName tells words after which "format" is a name and not the clause.
func takesName(t token) bool {
	switch t.text {
	case ",", ".", "EXISTS", "VIEW", "DICTIONARY", "SELECT", "FROM", "AS", "JOIN", "TABLE", "DATABASE", "BY", "AND", "OR", "NOT", "WHERE", "ON", "IN":
		return true
	}
	return false
}

// parseInsert reads on after INSERT: [INTO] [TABLE] [FUNCTION] name [(columns)] [SETTINGS ...] FORMAT name | VALUES.
func parseInsert(l *lexer) statement {
	s := statement{insert: true}
	t, ok := l.next()
	for ok && t.word && (t.text == "INTO" || t.text == "TABLE" || t.text == "FUNCTION") {
		t, ok = l.next()
	}
	// t is the table's name, which may be a word such as "settings"; a database may stand before it.
	t, ok = l.next()
	if ok && t.text == "." {
		l.next()
		t, ok = l.next()
	}
	headEnd, settingsAt := -1, -1
	for ; ok; t, ok = l.next() {
		if t.depth > 0 || !t.word {
			continue
		}
		switch t.text {
		case "SETTINGS":
			settingsAt = t.start
			headEnd = t.start
		case "SELECT", "WITH", "FROM", "WATCH":
			s.input = callsInput(l)
			return s
		case "VALUES", "FORMAT":
			if headEnd < 0 {
				headEnd = t.start
			}
			s.head = strings.TrimSpace(l.sql[:headEnd])
			if settingsAt >= 0 {
				s.settings = strings.TrimSpace(l.sql[settingsAt:t.start])
			}
			s.format, s.external = "Values", true
			if t.text == "FORMAT" {
				name, ok := l.next()
				if !ok {
					return statement{insert: true}
				}
				s.format = l.sql[name.start:name.end]
			}
			s.data = inlineData(l.sql[l.at:], t.text == "FORMAT")
			return s
		}
	}
	return s
}

// callsInput tells whether the rest of the text has input(...) in it.
func callsInput(l *lexer) bool {
	var previous token
	for t, ok := l.next(); ok; t, ok = l.next() {
		if t.text == "(" && previous.is("INPUT") {
			return true
		}
		previous = t
	}
	return false
}

// inlineData drops what stands between the FORMAT clause and the data: spaces up to and with one line end. White
// space after that belongs to the data.
func inlineData(rest string, lineStart bool) string {
	trimmed := strings.TrimLeft(rest, " \t")
	trimmed = strings.TrimPrefix(trimmed, ";")
	if lineStart {
		trimmed = strings.TrimPrefix(trimmed, "\r")
		trimmed = strings.TrimPrefix(trimmed, "\n")
	}
	return trimmed
}

// quote writes a string literal.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// quoteName writes an identifier.
func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
