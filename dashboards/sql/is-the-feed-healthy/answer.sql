-- In short: the feed, silent providers, dead letters, figures that break a rule. Always one row.
SELECT concat(
    (SELECT sentence FROM reporting.feed_now), ' ',
    (SELECT multiIf(count() = 0, 'No provider has sent anything in 90 days.', countIf(silent) = 0, 'No provider is silent.',
                    concat(toString(countIf(silent)), ' of ', toString(count()), ' providers silent: ',
                           arrayStringConcat(arraySlice(groupArrayIf(if(provider = '', 'not said', toString(provider)), silent), 1, 5), ', '), if(countIf(silent) > 5, ' and others.', '.')))
     FROM reporting.providers), ' ',
    (SELECT multiIf(last_day = 0, 'No dead letters in 24 hours.', rising, concat('Dead letters are rising: ', toString(last_hour), ' in the last 60 minutes.'),
                    concat(toString(last_day), ' dead letters in 24 hours', if(usual_per_hour IS NULL, '; how many are usual is not known yet.', ', not rising.')))
     FROM reporting.dead_letters_now WHERE reason = 'all'), ' ',
    (SELECT if(count() = 0, 'No figure breaks a rule.', concat(toString(count()), if(count() = 1, ' figure breaks a rule.', ' figures break a rule.'))) FROM reporting.rule_breaks)) AS "In short"
