-- +goose NO TRANSACTION
-- +goose Up

-- Slices that a full recompute did not know of and that an overtaken run published after it, at an earlier id.
ALTER TABLE prevention.published
    ADD COLUMN IF NOT EXISTS floor UInt128 DEFAULT 0 COMMENT 'of the programme''s own row: id of its last full recompute, slices below it are of the past; 0 for others';

CREATE OR REPLACE VIEW prevention.published_now AS
SELECT programme, season, place, id, base, floor
FROM
(
    SELECT programme, season, place, max(rows.id) AS id, argMax(rows.base, rows.id) AS base,
           max(max(rows.floor)) OVER (PARTITION BY programme) AS floor
    FROM prevention.published AS rows GROUP BY programme, season, place
)
WHERE id >= floor;

-- The two views below name prevention.published before the cells, and do so themselves: ClickHouse then looks at which cells
-- there are after it looked at what is published, so that everything published is among them. It looks into a view within
-- the view (prevention.published_now) last.

-- The cells as published: the one place that knows how to read prevention.uptake_months.
CREATE OR REPLACE VIEW prevention.uptake_now AS
SELECT programme, season, toDate32(addDays(month, of_month - 1)) AS day, place, system, level, code, quintile,
       argMax(newly_on, id) AS newly, argMax(lapsed_on, id) AS lapsed,
       argMax(moved_in_on, id) AS moved_in, argMax(moved_out_on, id) AS moved_out
FROM
(
    SELECT programme, season, place, system, level, code, quintile, month, cells.id AS id, days.day, days.newly, days.lapsed,
           days.moved_in, days.moved_out
    FROM
    (
        SELECT programme, season, place, max(rows.id) AS id, argMax(rows.base, rows.id) AS base,
               max(max(rows.floor)) OVER (PARTITION BY programme) AS floor
        FROM prevention.published AS rows GROUP BY programme, season, place
    ) AS published
    INNER JOIN prevention.uptake_months AS cells USING (programme, season, place)
    WHERE cells.id >= published.base AND cells.id <= published.id AND published.id >= published.floor AND published.season != ''
)
ARRAY JOIN days.day AS of_month, days.newly AS newly_on, days.lapsed AS lapsed_on, days.moved_in AS moved_in_on,
           days.moved_out AS moved_out_on
GROUP BY programme, season, place, system, level, code, quintile, day
HAVING newly + lapsed + moved_in + moved_out > 0;

-- The eligible people that go with prevention.uptake_now.
CREATE OR REPLACE VIEW prevention.eligible_now AS
SELECT programme, season, valid_from, place, system, level, code, quintile, sum(cells.eligible) AS eligible
FROM
(
    SELECT programme, toUInt32(bitShiftRight(max(id), 108)) AS generation
    FROM prevention.published WHERE season = '' AND place = '' GROUP BY programme
) AS published
INNER JOIN (SELECT * FROM prevention.eligible_cells FINAL) AS cells USING (programme, generation)
GROUP BY programme, season, valid_from, place, system, level, code, quintile;
