package grafanacheck

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Kind is how Grafana uses a column.
type Kind int

// Kinds of columns. Grafana shows others as text or not at all.
const (
	other Kind = iota
	text
	numeric
	moment
	boolean
)

// Column of an answer.
type Column struct {
	Name, Type string
	Kind       Kind
}

// Table is the answer to a query.
type Table struct {
	Columns []Column
	Cells   [][]any // by row: nil, string, float64 or bool
}

// Rows is how many there are.
func (t Table) Rows() int { return len(t.Cells) }

// Empty tells whether a panel would have nothing to show: no row, or no value but times and gaps.
func (t Table) Empty() bool {
	for _, row := range t.Cells {
		for i, value := range row {
			if number, isNumber := value.(float64); value != nil && t.Columns[i].Kind != moment && (!isNumber || !math.IsNaN(number)) {
				return false
			}
		}
	}
	return true
}

// text is a cell as text, empty where there is none.
func (t Table) text(row, column int) string {
	if row >= len(t.Cells) || column >= len(t.Cells[row]) {
		return ""
	}
	switch value := t.Cells[row][column].(type) {
	case nil:
		return ""
	case string:
		return value
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	default:
		return fmt.Sprint(value)
	}
}

// problems are columns that no panel can use.
func (t Table) problems() (all []string) {
	seen := map[string]bool{}
	for _, column := range t.Columns {
		if column.Kind == other {
			all = append(all, fmt.Sprintf("column %s is of type %s, which panels cannot show", column.Name, column.Type))
		}
		if seen[column.Name] {
			all = append(all, fmt.Sprintf("two columns are called %s", column.Name))
		}
		seen[column.Name] = true
	}
	return all
}

// kindOf is how Grafana uses a column of ClickHouse's type.
func kindOf(typ string) Kind {
	for _, wrapper := range []string{"LowCardinality(", "Nullable("} { // in this order
		if inner, ok := strings.CutPrefix(typ, wrapper); ok {
			typ = strings.TrimSuffix(inner, ")")
		}
	}
	switch {
	case typ == "String", strings.HasPrefix(typ, "Enum"):
		return text
	case typ == "Bool":
		return boolean
	case strings.HasPrefix(typ, "Date"): // Date, Date32, DateTime, DateTime64
		return moment
	case strings.HasPrefix(typ, "UInt"), strings.HasPrefix(typ, "Int"), strings.HasPrefix(typ, "Float"):
		return numeric
	}
	return other
}
