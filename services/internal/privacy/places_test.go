package privacy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gapwatch/services/internal/rejection"
	"gapwatch/services/internal/standalone"
	"gapwatch/services/internal/stream"
)

// look reads every place of a running Gapwatch.
func (w *world) look(ctx context.Context, s *standalone.System) error {
	if err := w.streams(ctx, s); err != nil {
		return err
	}
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		w.get("metrics "+path, s.MetricsURL+path, "")
	}
	for sender, token := range tokens {
		for after := uint64(0); ; {
			text := w.get(fmt.Sprintf("rejections of %s after %d", sender, after), fmt.Sprintf("%s/v1/rejections?limit=1000&after=%d", w.url, after), token)
			var page rejection.Page
			if err := json.Unmarshal([]byte(text), &page); err != nil {
				return fmt.Errorf("%w in %s", err, text)
			}
			if sender == "gp" && after == 0 && len(page.Rejections) < 100 {
				w.t.Errorf("%d rejections only", len(page.Rejections))
			}
			if after = page.Next; !page.More {
				break
			}
		}
	}
	w.deadLetters(ctx, s, "dead letters: list", "list")
	each := w.deadLetters(ctx, s, "dead letters: list each", "list", "--each")
	for _, line := range strings.Split(strings.TrimSpace(each), "\n")[1:] {
		w.deadLetters(ctx, s, "dead letters: show", "show", strings.Fields(line)[0])
	}
	return w.tables(ctx, s)
}

func (w *world) get(place, url, token string) string {
	q, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	status, header, body, err := exchange(q)
	if err != nil {
		w.t.Fatal(err)
	}
	w.add(place, fmt.Sprint(status, " ", header)+body)
	return body
}

// streams reads every message of every stream.
func (w *world) streams(ctx context.Context, s *standalone.System) error {
	names := s.JetStream.StreamNames(ctx)
	read := 0
	for name := range names.Name() {
		for after := uint64(0); ; {
			messages, left, err := stream.Read(ctx, s.JetStream, name, ">", after, 500)
			if err != nil {
				return err
			}
			for _, m := range messages {
				var text strings.Builder
				fmt.Fprintln(&text, m.Subject)
				for key, values := range m.Header {
					fmt.Fprintln(&text, key, values)
				}
				text.Write(m.Data)
				w.add(fmt.Sprintf("stream %s %d", name, m.Sequence), text.String())
				after = m.Sequence
				read++
			}
			if left == 0 {
				break
			}
		}
	}
	if read < 100 {
		w.t.Errorf("%d messages only", read)
	}
	return names.Err()
}

// ask has the engine answer a query as text in which nothing is escaped.
func (w *world) ask(ctx context.Context, s *standalone.System, query string) (string, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, s.ClickHouseURL, strings.NewReader(query))
	if err != nil {
		return "", err
	}
	status, _, body, err := exchange(q)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: %s", query, body)
	}
	return body, err
}

// unreadable are tables of the engine that cannot be read here, or not to an end (reading stack_trace ends the engine). None of them keeps anything of queries or data.
var unreadable = strings.Fields(`numbers numbers_mt zeros zeros_mt primes generateSeries generate_series detached_tables distributed_ddl_queue grants jemalloc_profile_text
	models stack_trace quota_limits quota_usage quotas quotas_usage role_grants roles row_policies settings_profile_elements settings_profiles users`)

// tables reads every column of every table of every database. Of the engine's own tables it leaves out numbers: they are its
// meters, and some happen to look like a date.
func (w *world) tables(ctx context.Context, s *standalone.System) error {
	list, err := w.ask(ctx, s, "SELECT database, table, arrayStringConcat(groupArray('`' || name || '`'), ', ') FROM system.columns "+
		"WHERE database != 'INFORMATION_SCHEMA' AND default_kind != 'EPHEMERAL' AND NOT (database = 'system' AND match(type, '^(Nullable\\()?(U?Int|Float)')) "+
		"GROUP BY database, table ORDER BY database, table FORMAT TSVRaw")
	if err != nil {
		return err
	}
	n := 0
	for line := range strings.Lines(list) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		database, table := columns[0], columns[1]
		if database == "system" && slices.Contains(unreadable, table) {
			continue
		}
		text, err := w.ask(ctx, s, fmt.Sprintf("SELECT %s FROM `%s`.`%s` FORMAT TSVRaw", columns[2], database, table))
		if err != nil {
			w.t.Errorf("%s.%s cannot be read: %.300v", database, table, err)
			continue
		}
		w.add("table "+database+"."+table, text)
		n++
	}
	w.t.Logf("%d tables and views are read", n)
	// Two tables were written before compression was switched off, and before anybody was sent.
	squeezed, err := w.ask(ctx, s, "SELECT database || '.' || table || ' ' || name FROM system.parts WHERE database = 'prevention' AND table NOT IN ('schema_versions', 'programmes') "+
		"AND data_compressed_bytes < data_uncompressed_bytes FORMAT TSVRaw")
	if squeezed != "" {
		w.t.Errorf("these parts are compressed, so that files on disk prove nothing of them:\n%s", squeezed)
	}
	return err
}

// uncompressed switches compression off in every table, so that files on disk can be searched.
func (w *world) uncompressed(ctx context.Context, s *standalone.System) error {
	list, err := w.ask(ctx, s, "SELECT database, name FROM system.tables WHERE engine LIKE '%MergeTree' FORMAT TSVRaw")
	if err != nil {
		return err
	}
	for line := range strings.Lines(list) {
		table := strings.ReplaceAll(strings.TrimSpace(line), "\t", ".")
		if _, err := w.ask(ctx, s, "ALTER TABLE "+table+" MODIFY SETTING default_compression_codec = 'NONE', compress_marks = 0, compress_primary_key = 0"); err != nil {
			return err
		}
	}
	coded, err := w.ask(ctx, s, "SELECT database || '.' || table, '`' || name || '`', type FROM system.columns WHERE compression_codec != '' FORMAT TSVRaw")
	if err != nil {
		return err
	}
	for line := range strings.Lines(coded) {
		column := strings.Split(strings.TrimSpace(line), "\t")
		if _, err := w.ask(ctx, s, fmt.Sprintf("ALTER TABLE %s MODIFY COLUMN %s CODEC(NONE)", column[0], column[1])); err != nil {
			return err
		}
	}
	return nil
}

// files reads what is on disk, of NATS, ClickHouse, the door and temporary files; as is names the places.
func (w *world) files(as string) {
	for name, folder := range map[string]string{"clickhouse": "data/clickhouse", "nats": "data/nats", "other": "data", "temporary": "temporary"} {
		n := 0
		root := filepath.Join(w.folder, folder)
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a part that was merged meanwhile
			}
			if err != nil || entry.IsDir() || !entry.Type().IsRegular() {
				return err
			}
			relative, _ := filepath.Rel(root, path)
			if name == "other" && (strings.HasPrefix(relative, "clickhouse/") || strings.HasPrefix(relative, "nats/")) {
				return nil
			}
			data, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			n++
			w.add(as+name+" "+relative, relative+"\n"+string(data))
			return err
		})
		if err != nil {
			w.t.Error(err)
		}
		w.t.Logf("%d files of %s", n, name)
	}
}
