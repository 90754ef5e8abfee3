-- Geographies whose numbers break a rule, of all programmes.
SELECT programme_name, level, name, rule, figure, sentence FROM reporting.rule_breaks ORDER BY figure DESC
