-- +goose NO TRANSACTION
-- +goose Up

-- What alerts and the dashboard "Is the feed healthy?" need: how messages come in and what becomes of them, kept 90 days,
-- and the figures of each programme's last complete day in one small table, so that every rule can look at every
-- geography of every programme in one query.

-- Why a message is a dead letter, in our own fixed words: never anything out of the message.
ALTER TABLE prevention.handled
    ADD COLUMN IF NOT EXISTS reason LowCardinality(String) DEFAULT '' COMMENT 'of a dead letter, empty for others',
    ADD COLUMN IF NOT EXISTS field LowCardinality(String) DEFAULT '' COMMENT 'of a dead letter: field of the contract that the reason is about, empty for others';

-- Dead letters alone, filled with the insert that fills prevention.handled: a look at them must not read all messages.
-- The first row of a message stays, so that its hour does not change when it is handled again.
CREATE TABLE IF NOT EXISTS prevention.dead_letters
(
    stream   UInt64,
    sequence UInt64 CODEC(Delta, ZSTD),
    reason   LowCardinality(String),
    field    LowCardinality(String),
    at       DateTime64(3, 'UTC') COMMENT 'when it was handled first',
    earliest Int64 MATERIALIZED -toUnixTimestamp64Milli(at) COMMENT 'greatest for the first'
)
ENGINE = ReplacingMergeTree(earliest)
ORDER BY (stream, sequence)
TTL toDateTime(at) + INTERVAL 90 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Messages that were dead-lettered in the last 90 days.';

CREATE MATERIALIZED VIEW IF NOT EXISTS prevention.dead_letters_from_handled TO prevention.dead_letters AS
SELECT stream, sequence, reason, field, handled_at AS at FROM prevention.handled WHERE outcome = 'dead letter';

INSERT INTO prevention.dead_letters (stream, sequence, reason, field, at)
SELECT stream, sequence, reason, field, handled_at FROM prevention.handled WHERE outcome = 'dead letter';

-- In which hours events of a provider came in, filled with the insert that fills prevention.events. Greatest and least do
-- not change when an event comes twice, so this is exact.
CREATE TABLE IF NOT EXISTS prevention.arrivals
(
    provider LowCardinality(String) COMMENT 'ODS code, empty = not said',
    hour     DateTime('UTC') COMMENT 'in which JetStream took the events',
    first    SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    last     SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (provider, hour)
TTL hour + INTERVAL 150 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Hours of the last 150 days with events, by provider: 90 that a provider is shown for, and the 56 before its last event.';

CREATE MATERIALIZED VIEW IF NOT EXISTS prevention.arrivals_from_events TO prevention.arrivals AS
SELECT provider, toStartOfHour(received, 'UTC') AS hour, min(received) AS first, max(received) AS last
FROM prevention.events GROUP BY provider, hour;

INSERT INTO prevention.arrivals (provider, hour, first, last)
SELECT provider, toStartOfHour(received, 'UTC') AS hour, min(received), max(received)
FROM prevention.events WHERE received > now() - INTERVAL 150 DAY GROUP BY provider, hour;

-- How the feed is, every 15 seconds. Written by services/internal/heartbeat; of two aggregators the later row stays.
CREATE TABLE IF NOT EXISTS prevention.heartbeats
(
    at                     DateTime64(3, 'UTC') COMMENT 'start of the 15 seconds that it was taken in',
    taken_at               DateTime64(3, 'UTC'),
    stored                 UInt64 COMMENT 'messages ever stored, each once',
    dead_lettered          UInt64 COMMENT 'messages ever dead-lettered, each once',
    lost                   UInt64 COMMENT 'messages ever written off, because they left the stream unread',
    waiting                UInt64 COMMENT 'messages in the stream that are not acknowledged',
    unaccounted            Int64  COMMENT 'messages of the present stream that are neither handled nor waiting, and those of any stream that are lost',
    oldest_waiting_seconds UInt32,
    behind_seconds         UInt32,
    stream_full            Float64 COMMENT 'share of 1',
    dead_letters_full      Float64 COMMENT 'share of 1',
    events_per_second      Float64
)
ENGINE = ReplacingMergeTree(taken_at)
ORDER BY at
TTL toDateTime(at) + INTERVAL 90 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

ALTER TABLE prevention.programmes ADD COLUMN IF NOT EXISTS behind Float64 DEFAULT 0.05 COMMENT 'share of 1' AFTER ceiling;

-- Each geography on the last complete day of its programme's newest season, by quintiles of England, beside the same day of
-- the season before (rolling programmes: 364 days earlier). From figures that may be shown. Lists as in prevention.gap_days.
CREATE TABLE IF NOT EXISTS prevention.last_days
(
    programme    LowCardinality(String),
    season       LowCardinality(String),
    level        LowCardinality(String) COMMENT 'pcn, place, system, region or england',
    code         LowCardinality(String),
    day          Date32,
    id           UInt128 COMMENT 'all rows of a programme''s season are written together: those of a lower id than the others are of geographies that have gone',
    all_uptake   Nullable(Float64) COMMENT 'share of 1',
    unknown_area Nullable(Float64) COMMENT 'covered people of unknown quintile, share of 1 of all covered',
    uptake       Array(Nullable(Float64)) COMMENT 'share of 1',
    against      Nullable(Date32) COMMENT 'day of the season before, null where there is none',
    expected     Array(Nullable(Float64)) COMMENT 'uptake on that day, share of 1; null where the two cannot be compared',
    chance       Array(Nullable(Float64)) COMMENT 'difference that chance makes now and then (four standard errors), share of 1',
    why          Array(LowCardinality(String)) COMMENT 'why they cannot be compared, empty where they can'
)
ENGINE = ReplacingMergeTree(id)
ORDER BY (programme, season, level, code)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Those of each programme's newest season, of geographies that are still there, with names. over is as in reporting.seasons.
CREATE VIEW IF NOT EXISTS prevention.last_days_now AS
SELECT last.programme AS programme, about.name AS programme_name, last.season AS season,
       last.level AS level, last.code AS code, if(area.name = '', last.code, area.name) AS name, area.system_code AS system_code, area.system_name AS system_name,
       last.day AS day, has(about.seasons, last.season) AND about.ends[indexOf(about.seasons, last.season)] + 42 < lag.as_of AS over,
       about.behind AS behind_limit, about.unknown_area AS unknown_area_limit,
       last.all_uptake AS all_uptake, last.unknown_area AS unknown_area, last.uptake AS uptake,
       last.against AS against, last.expected AS expected, last.chance AS chance, last.why AS why
FROM prevention.last_days AS last FINAL
LEFT ANY JOIN prevention.geographies_now AS area ON area.code = last.code
INNER JOIN (SELECT programme, name, seasons, ends, behind, unknown_area FROM prevention.programmes FINAL) AS about ON about.programme = last.programme
LEFT ANY JOIN (SELECT programme, as_of FROM prevention.completeness FINAL) AS lag ON lag.programme = last.programme
WHERE (last.programme, last.season, last.id) IN ( -- the season that starts last: a season's snapshot may come after the first one of the next
    SELECT made.programme, argMax(made.season, indexOf(about.seasons, made.season)), argMax(made.id, indexOf(about.seasons, made.season))
    FROM (SELECT programme, season, max(id) AS id FROM prevention.last_days GROUP BY programme, season) AS made
    INNER JOIN (SELECT programme, seasons FROM prevention.programmes FINAL) AS about ON about.programme = made.programme
    GROUP BY made.programme)
SETTINGS join_use_nulls = 0;

CREATE OR REPLACE VIEW reporting.programmes
(
    programme       LowCardinality(String) COMMENT 'Programme id, e.g. flu-65.',
    programme_name  String  COMMENT 'Name of the programme.',
    position        UInt16  COMMENT 'Place in programmes.yaml, from 1: the order to list programmes in.',
    kind            LowCardinality(String) COMMENT 'seasonal: every season starts from nothing. rolling: a check covers for some months. cohort: children of one year, counted until its cut-off.',
    eligible_group  String  COMMENT 'Who is eligible, in words.',
    target          Nullable(Float64) COMMENT 'Uptake aimed at, share of 1 (0.75 = 75 %). Null where there is none.',
    ceiling         Float64 COMMENT 'Gap above which an alert is raised, share of 1 (0.2 = 20 percentage points).',
    behind          Float64 COMMENT 'A quintile is behind when its uptake is this much under the season before, share of 1 (0.05 = 5 percentage points).',
    smallest_change Float64 COMMENT 'Smallest change of the gap that matters, share of 1: less is never called widening or narrowing.',
    floor           UInt32  COMMENT 'Eligible people that a quintile must have for measures to be computed.',
    unknown_area    Float64 COMMENT 'Share of covered people without a known area above which no verdict is given, share of 1.',
    imd_edition     UInt16  COMMENT 'Edition of the English Indices of Deprivation that quintiles are taken from.',
    history_from    Date32  COMMENT 'First day that counts are shown for.',
    source          String  COMMENT 'Where target, dates and group were published.'
)
SQL SECURITY DEFINER AS
SELECT about.programme AS programme, about.name AS programme_name, about.position AS position, about.kind AS kind, about.eligible_group AS eligible_group,
       nullIf(about.target, 0) AS target, about.ceiling AS ceiling, about.behind AS behind, about.smallest_change AS smallest_change, about.floor AS floor,
       about.unknown_area AS unknown_area, about.imd AS imd_edition, about.history_from AS history_from, about.source AS source
FROM prevention.programmes AS about FINAL
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Programmes and their settings, one row each. Source: programmes.yaml of this deployment.';

CREATE VIEW IF NOT EXISTS reporting.feed
(
    at                     DateTime64(3, 'UTC') COMMENT 'Start of the 15 seconds that it was taken in (UTC). Filter on it: that makes queries fast.',
    stored                 UInt64 COMMENT 'Messages stored since the beginning, each once.',
    dead_lettered          UInt64 COMMENT 'Messages that could not be stored and became dead letters since the beginning, each once.',
    lost                   UInt64 COMMENT 'Messages written off since the beginning: they left the stream before anybody read them.',
    waiting                UInt64 COMMENT 'Messages in the stream that are not handled yet.',
    unaccounted            Int64  COMMENT 'Messages of the present stream that are neither handled nor waiting, and all that were ever lost: less lost, it must be 0 within minutes.',
    oldest_waiting_seconds UInt32 COMMENT 'Seconds that the oldest waiting message has been in the stream. 0 = none waits.',
    behind_seconds         UInt32 COMMENT 'Seconds since the oldest stored message that is not in the numbers yet was stored. 0 = the numbers are up to date.',
    stream_full            Float64 COMMENT 'How full the stream of events is, share of 1. At 1 nothing more is taken.',
    dead_letters_full      Float64 COMMENT 'How full the stream of dead letters is, share of 1. At 1 collectors stop.',
    events_per_second      Float64 COMMENT 'Messages handled per second since the heartbeat before.'
)
SQL SECURITY DEFINER AS
SELECT beat.at AS at, beat.stored AS stored, beat.dead_lettered AS dead_lettered, beat.lost AS lost, beat.waiting AS waiting, beat.unaccounted AS unaccounted,
       beat.oldest_waiting_seconds AS oldest_waiting_seconds, beat.behind_seconds AS behind_seconds,
       beat.stream_full AS stream_full, beat.dead_letters_full AS dead_letters_full, beat.events_per_second AS events_per_second
FROM prevention.heartbeats AS beat FINAL
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'How the feed is, every 15 seconds of the last 90 days: one row for each heartbeat of the aggregator. No row means that no aggregator was running.';

CREATE VIEW IF NOT EXISTS reporting.feed_now
(
    at                     Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the newest heartbeat (UTC). Null = there was none.',
    age_seconds            UInt32 COMMENT 'Seconds since then; very many where there was none.',
    stored                 UInt64 COMMENT 'Messages stored since the beginning, each once.',
    dead_lettered          UInt64 COMMENT 'Messages that could not be stored and became dead letters since the beginning, each once.',
    lost                   UInt64 COMMENT 'Messages written off since the beginning: they left the stream before anybody read them.',
    lost_last_day          UInt64 COMMENT 'Of those, written off in the last 24 hours; where no heartbeat is that old, since the first one.',
    waiting                UInt64 COMMENT 'Messages in the stream that are not handled yet.',
    unaccounted            Int64  COMMENT 'Messages of the present stream that are neither handled nor waiting, and all that were ever lost: less lost, it must be 0 within minutes.',
    oldest_waiting_seconds UInt32 COMMENT 'Seconds that the oldest waiting message has been in the stream. 0 = none waits.',
    behind_seconds         UInt32 COMMENT 'Seconds since the oldest stored message that is not in the numbers yet was stored. 0 = the numbers are up to date.',
    stream_full            Float64 COMMENT 'How full the stream of events is, share of 1. At 1 nothing more is taken.',
    dead_letters_full      Float64 COMMENT 'How full the stream of dead letters is, share of 1. At 1 collectors stop.',
    events_per_second      Float64 COMMENT 'Messages handled per second since the heartbeat before.',
    stale                  Bool   COMMENT 'True when the numbers are not of now: no heartbeat for 2 minutes, or messages have waited for 5 minutes, or what was stored 15 minutes ago is not in them.',
    sentence               String COMMENT 'How the feed is, in one sentence.'
)
SQL SECURITY DEFINER AS
WITH seconds -> multiIf(seconds < 120, format('{} seconds', toString(seconds)), seconds < 7200, format('{} minutes', toString(intDiv(seconds, 60))),
                        seconds < 172800, format('{} hours', toString(intDiv(seconds, 3600))), format('{} days', toString(intDiv(seconds, 86400)))) AS words,
     time -> concat(toString(toDayOfMonth(time)), formatDateTime(time, ' %b %Y %H:%i UTC')) AS plain
SELECT nullIf(newest.taken, toDateTime64(0, 3, 'UTC')) AS at, toUInt32(greatest(0, dateDiff('second', newest.taken, now64(3, 'UTC')))) AS age_seconds,
       newest.stored AS stored, newest.dead_lettered AS dead_lettered, newest.lost AS lost, newest.lost - least(newest.lost, before.lost) AS lost_last_day,
       newest.waiting AS waiting, newest.unaccounted AS unaccounted, newest.oldest_waiting_seconds AS oldest_waiting_seconds,
       newest.behind_seconds AS behind_seconds, newest.stream_full AS stream_full, newest.dead_letters_full AS dead_letters_full,
       newest.events_per_second AS events_per_second,
       CAST(age_seconds > 120 OR oldest_waiting_seconds > 300 OR behind_seconds > 900, 'Bool') AS stale,
       multiIf(isNull(at), 'No aggregator has ever said how the feed is: nothing is known of it.',
               age_seconds > 120, format('No heartbeat for {}, the last one at {}: the aggregator or NATS is away, and the numbers stand still.', words(age_seconds), plain(newest.taken)),
               oldest_waiting_seconds > 300, format('Messages waiting in the stream: {}, the oldest for {}: no collector runs, or it does not keep up.', toString(waiting), words(oldest_waiting_seconds)),
               behind_seconds > 900, format('What was stored in the last {} is not in the numbers yet.', words(behind_seconds)),
               lost_last_day > 0, format('Messages lost in the last 24 hours, because they left the stream before anybody read them: {}.', toString(lost_last_day)),
               unaccounted > toInt64(lost), format('Messages unaccounted for: {}.', toString(unaccounted - toInt64(lost))),
               behind_seconds > 0, format('Messages come in and are counted; the numbers are {} behind.', words(behind_seconds)),
               'Everything that came in is in the numbers.') AS sentence
FROM (SELECT max(taken_at) AS taken, max(beat.stored) AS stored, max(beat.dead_lettered) AS dead_lettered, max(beat.lost) AS lost, max(beat.waiting) AS waiting,
             max(beat.unaccounted) AS unaccounted, max(beat.oldest_waiting_seconds) AS oldest_waiting_seconds, max(beat.behind_seconds) AS behind_seconds,
             max(beat.stream_full) AS stream_full, max(beat.dead_letters_full) AS dead_letters_full, max(beat.events_per_second) AS events_per_second
      FROM (SELECT taken_at, stored, dead_lettered, lost, waiting, unaccounted, oldest_waiting_seconds, behind_seconds, stream_full, dead_letters_full, events_per_second
            FROM prevention.heartbeats ORDER BY at DESC, taken_at DESC LIMIT 1) AS beat) AS newest
CROSS JOIN (SELECT argMax(beat.lost, beat.at) AS lost
            FROM (SELECT at, lost FROM (SELECT at, lost FROM prevention.heartbeats WHERE at <= now64(3) - INTERVAL 1 DAY ORDER BY at DESC LIMIT 1)
                  UNION ALL SELECT at, lost FROM (SELECT at, lost FROM prevention.heartbeats ORDER BY at LIMIT 1)) AS beat) AS before -- a day ago, else the first
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'How the feed is now: exactly one row, always, also when nothing runs.';

CREATE VIEW IF NOT EXISTS reporting.providers
(
    provider          LowCardinality(String) COMMENT 'ODS code of who did what the events say. Empty = events that do not say.',
    first_event       DateTime('UTC') COMMENT 'Minute in which the first of its events came in (UTC); hours are kept for 150 days.',
    last_event        DateTime('UTC') COMMENT 'Minute in which the last of its events came in (UTC).',
    quiet_hours       UInt32 COMMENT 'Clock hours from that of the last event to now.',
    pauses            UInt32 COMMENT 'How many pauses are known: steps from one hour with events to the next one, in the 56 days up to the last event.',
    usual_pause_hours Nullable(UInt32) COMMENT 'The 99th percentile of these pauses, in clock hours. Nights and weekends are pauses too, so a provider that rests at weekends is not silent on a Sunday. Null = fewer than 20 pauses are known.',
    silent            Bool   COMMENT 'True when it has been quiet for longer than that and one hour of grace. By definition about one pause in a hundred is longer: such a provider is back soon. Never where too few pauses are known.',
    sentence          String COMMENT 'The same in one sentence.'
)
SQL SECURITY DEFINER AS
WITH time -> concat(toString(toDayOfMonth(time)), formatDateTime(time, ' %b %Y %H:%i UTC')) AS plain
SELECT arrived.provider AS provider, toStartOfMinute(arrived.first_event, 'UTC') AS first_event, toStartOfMinute(arrived.last_event, 'UTC') AS last_event,
       toUInt32(greatest(0, dateDiff('hour', arrived.hours[-1], now('UTC')))) AS quiet_hours, toUInt32(length(gaps)) AS pauses,
       if(pauses < 20, NULL, arraySort(gaps)[least(pauses, intDiv(pauses * 99, 100) + 1)]) AS usual_pause_hours,
       CAST(ifNull(quiet_hours > usual_pause_hours + 1, false), 'Bool') AS silent, -- a pause of n clock hours may last nearly n + 1
       concat(if(provider = '', 'Events without a provider: ', format('Provider {}: ', provider)),
              multiIf(silent, format('silent for {} hours', toString(quiet_hours)), isNull(usual_pause_hours), format('quiet for {} hours', toString(quiet_hours)), 'not silent'), ', the last event came in on ', plain(last_event), '; ',
              if(isNull(usual_pause_hours), 'how long it usually pauses is not known yet.',
                 format('99 of 100 pauses take at most {} hours.', toString(assumeNotNull(usual_pause_hours))))) AS sentence
FROM (SELECT provider, min(hours.first) AS first_event, max(hours.last) AS last_event, arraySort(groupUniqArray(hours.hour)) AS hours
      FROM prevention.arrivals AS hours GROUP BY provider HAVING last_event > now64(3, 'UTC') - INTERVAL 90 DAY) AS arrived
ARRAY JOIN [arrayMap(pause -> toUInt32(pause), arrayPopFront(arrayMap(seconds -> intDiv(seconds, 3600),
       arrayDifference(arrayMap(hour -> toUnixTimestamp(hour), arrayFilter(hour -> hour >= arrived.hours[-1] - 56 * 86400, arrived.hours))))))] AS gaps
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Who sends, and who has fallen silent: one row for each provider with events in the last 90 days.';

CREATE VIEW IF NOT EXISTS reporting.dead_letters
(
    hour    DateTime('UTC') COMMENT 'Hour in which they were found (UTC).',
    reason  LowCardinality(String) COMMENT 'Why they could not be stored; the reasons are listed in schemas/events/dead-letter.v1.schema.json.',
    field   LowCardinality(String) COMMENT 'Field of the contract that the reason is about; payload, subject, header or extra field where it is no one field.',
    letters UInt64 COMMENT 'Dead letters, each once.'
)
SQL SECURITY DEFINER AS
SELECT toStartOfHour(letter.at, 'UTC') AS hour, if(letter.reason = '', 'not recorded', letter.reason) AS reason, letter.field AS field, count() AS letters
FROM prevention.dead_letters AS letter FINAL
GROUP BY hour, letter.reason, letter.field
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Messages that could not be stored, by hour, reason and field, for the last 90 days. Hours without any have no row.';

CREATE VIEW IF NOT EXISTS reporting.dead_letters_now
(
    reason         LowCardinality(String) COMMENT 'Why they could not be stored. One row, always there, is for all reasons together: it says all.',
    field          LowCardinality(String) COMMENT 'Field of the contract that the reason is about. Empty in the row of all together.',
    last_hour      UInt64 COMMENT 'Dead letters of the last 60 minutes.',
    last_day       UInt64 COMMENT 'Dead letters of the last 24 hours.',
    usual_per_hour Nullable(UInt64) COMMENT 'The busiest hour of a usual day: the median over the 27 days before the last 24 hours, or as many of them as are known; days without any count as 0. Null = less than one whole day is known before the last 24 hours.',
    rising         Bool   COMMENT 'True when the last 60 minutes had at least 10 and more than twice that. Never where too little is known.',
    sentence       String COMMENT 'The same in one sentence.'
)
SQL SECURITY DEFINER AS
SELECT counted.reason AS reason, counted.field AS field, counted.hour_now AS last_hour, counted.day_now AS last_day,
       -- Of the days that are known the one in the middle, counted from the busiest; beyond the end of the list there were none.
       if(known.days < 1, NULL, arrayReverseSort(arrayMap(one -> one.2, arrayFilter(one -> one.1 <= known.days, counted.days)))[intDiv(known.days, 2) + 1]) AS usual_per_hour,
       CAST(last_hour >= 10 AND ifNull(last_hour > 2 * usual_per_hour, false), 'Bool') AS rising,
       concat(if(reason = 'all', 'Dead letters: ', format('Dead letters, {}{}: ', reason, if(field = '', '', format(' ({})', field)))),
              toString(last_hour), ' in the last 60 minutes; ',
              multiIf(isNull(usual_per_hour), 'how many are usual is not known yet.', usual_per_hour = 0, 'a usual day has none.',
                      format('a usual day has {} in its busiest hour.', toString(assumeNotNull(usual_per_hour))))) AS sentence
FROM (SELECT reason, field, sum(now) AS hour_now, sum(today) AS day_now, groupArrayIf((days_ago, busiest), days_ago > 0) AS days
      FROM (SELECT reason, field, intDiv(hours_ago, 24) AS days_ago, sumIf(letters, hours_ago = 0) AS now, sumIf(letters, hours_ago < 24) AS today, max(letters) AS busiest
            FROM (SELECT arrayJoin([('all', ''), (if(letter.reason = '', 'not recorded', letter.reason), letter.field)]) AS kind, kind.1 AS reason, kind.2 AS field,
                         toInt64(intDiv(greatest(0, dateDiff('second', letter.at, now64(3))), 3600)) AS hours_ago, count() AS letters
                  FROM prevention.dead_letters AS letter FINAL
                  WHERE letter.at > now64(3) - INTERVAL 28 DAY
                  GROUP BY kind, hours_ago
                  UNION ALL SELECT ('all', ''), 'all', '', 0, 0)
            GROUP BY reason, field, days_ago)
      GROUP BY reason, field) AS counted
CROSS JOIN (SELECT if(count() = 0, 0, least(27, intDiv(dateDiff('second', min(came.at), now64(3)), 86400) - 1)) AS days
            FROM (SELECT first AS at FROM prevention.arrivals UNION ALL SELECT at FROM prevention.dead_letters) AS came) AS known -- whole days before the last 24 hours
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Dead letters of now beside what is usual: one row for each reason and field of the last 28 days, and one for all of them, which is always there.';

CREATE VIEW IF NOT EXISTS reporting.behind
(
    programme      LowCardinality(String) COMMENT 'Programme id.',
    programme_name String COMMENT 'Name of the programme.',
    season         LowCardinality(String) COMMENT 'Newest season; rolling for programmes without seasons.',
    level          LowCardinality(String) COMMENT 'place, system, region or england.',
    code           LowCardinality(String) COMMENT 'Code of the geography.',
    name           String COMMENT 'Name of the geography. The code where no name was loaded.',
    system_code    String COMMENT 'System (ICB) that the geography is or that most of it lies in, empty above systems.',
    system_name    String COMMENT 'Name of that system.',
    quintile       UInt8  COMMENT 'Deprivation quintile of England: 1 = most deprived to 5 = least deprived.',
    quintile_label String COMMENT 'The quintile in words. Core20 is the most deprived national fifth.',
    day            Date32 COMMENT 'Last complete day.',
    against        Nullable(Date32) COMMENT 'The day that it is compared with: the same day of the season before; for programmes without seasons 364 days earlier. Null where there is none.',
    uptake         Nullable(Float64) COMMENT 'Uptake on the day, share of 1, from the figures shown. Null where withheld.',
    expected       Nullable(Float64) COMMENT 'Uptake on the day that it is compared with, share of 1. Null where the two cannot be compared.',
    behind         Nullable(Float64) COMMENT 'Expected less uptake, share of 1: positive when it is behind. Null where the two cannot be compared.',
    limit          Float64 COMMENT 'From how much on it is called behind, share of 1: a setting of the programme.',
    needed         Nullable(Float64) COMMENT 'How much it takes here, share of 1: the limit, or more where chance alone makes more (four standard errors). Null where the two cannot be compared.',
    is_behind      Bool   COMMENT 'True when it is behind by as much as needed. Never when the season is over or the two cannot be compared.',
    sentence       String COMMENT 'The same in one sentence, or why it cannot be said.'
)
SQL SECURITY DEFINER AS
WITH share -> concat(toString(round(share * 100, 1)), ' %') AS percent,
     date -> concat(toString(toDayOfMonth(date)), formatDateTime(date, ' %b %Y')) AS plain
SELECT last.programme AS programme, last.programme_name AS programme_name, last.season AS season,
       last.level AS level, last.code AS code, last.name AS name, last.system_code AS system_code, last.system_name AS system_name,
       toUInt8(fifth) AS quintile, transform(quintile, [1, 5], ['1 (most deprived, Core20)', '5 (least deprived)'], toString(quintile)) AS quintile_label,
       last.day AS day, last.against AS against, last.uptake[fifth + 1] AS uptake, last.expected[fifth + 1] AS expected,
       expected - uptake AS behind, last.behind_limit AS limit, if(isNull(last.chance[fifth + 1]), NULL, greatest(last.behind_limit, assumeNotNull(last.chance[fifth + 1]))) AS needed,
       CAST(NOT last.over AND ifNull(behind >= needed, false), 'Bool') AS is_behind,
       concat(programme_name, ' in ', name, ', quintile ', quintile_label, ': ',
              multiIf(last.over, 'the season is over.',
                      isNull(behind), format('cannot be compared with the season before: {}.', last.why[fifth + 1]),
                      concat(percent(assumeNotNull(uptake)), ' on ', plain(last.day), ', ', percent(assumeNotNull(expected)), ' on ',
                             plain(assumeNotNull(last.against)), ': ',
                             if(behind > 0, format('{} points behind', toString(round(assumeNotNull(behind) * 100, 1))), 'not behind'),
                             if(is_behind OR behind <= 0, '.', format('; it would take {}.', toString(round(assumeNotNull(needed) * 100, 1))))))) AS sentence
FROM prevention.last_days_now AS last
ARRAY JOIN [1, 2, 3, 4, 5] AS fifth
WHERE last.level != 'pcn'
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Quintiles beside the season before: one row for each programme, geography and quintile on the last complete day of the newest season, always, also where nothing can be said.';

CREATE VIEW IF NOT EXISTS reporting.rule_breaks
(
    programme      LowCardinality(String) COMMENT 'Programme id.',
    programme_name String COMMENT 'Name of the programme.',
    season         LowCardinality(String) COMMENT 'Newest season; rolling for programmes without seasons.',
    level          LowCardinality(String) COMMENT 'pcn, place, system, region or england.',
    code           LowCardinality(String) COMMENT 'Code of the geography.',
    name           String COMMENT 'Name of the geography. The code where no name was loaded.',
    system_code    String COMMENT 'System (ICB) that the geography is or that most of it lies in, empty above systems.',
    day            Date32 COMMENT 'Last complete day.',
    rule           LowCardinality(String) COMMENT 'The rule: uptake over 100 %, or unknown area above the limit (not of PCNs, on which no verdict is given).',
    figure         Float64 COMMENT 'What breaks it, share of 1, from the figures shown: the greatest uptake of a quintile or overall, or the covered people of unknown quintile.',
    limit          Float64 COMMENT 'The most that the rule allows, share of 1.',
    sentence       String COMMENT 'The same in one sentence.'
)
SQL SECURITY DEFINER AS
WITH arrayMax(arrayMap(share -> ifNull(share, 0), arrayPushBack(arraySlice(last.uptake, 2), last.all_uptake))) AS greatest_uptake,
     share -> concat(toString(round(share * 100, 1)), ' %') AS percent,
     date -> concat(toString(toDayOfMonth(date)), formatDateTime(date, ' %b %Y')) AS plain
SELECT last.programme AS programme, last.programme_name AS programme_name, last.season AS season,
       last.level AS level, last.code AS code, last.name AS name, last.system_code AS system_code, last.day AS day,
       broken.1 AS rule, assumeNotNull(broken.2) AS figure, broken.3 AS limit,
       concat(programme_name, ' in ', name, ', ', plain(last.day), ': ',
              if(rule = 'uptake over 100 %', format('uptake of {}: more people are covered than are eligible, so the eligible people that were loaded are wrong.', percent(figure)),
                 format('{} of covered people are of unknown area, more than {}: their records lack an LSOA or have one that the look-ups do not know.', percent(figure), percent(limit)))) AS sentence
FROM prevention.last_days_now AS last
ARRAY JOIN arrayFilter(one -> ifNull(one.2 > one.3, false), [('uptake over 100 %', toNullable(greatest_uptake), toFloat64(1)),
    ('unknown area above the limit', if(last.level = 'pcn', NULL, last.unknown_area), last.unknown_area_limit)]) AS broken
WHERE NOT last.over
SETTINGS join_use_nulls = 0, additional_table_filters = {}, parallel_replicas_custom_key = ''
COMMENT 'Geographies whose numbers break a rule on the last complete day of the newest season: one row for each geography and rule, none where all is well.';
