-- One row for each programme and place, as an alert rule evaluates it.
SELECT programme, season, code, name, sentence, verdict = 'widening' AND NOT over AS widening
FROM reporting.verdicts WHERE level = 'place'
