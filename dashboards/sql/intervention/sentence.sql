-- What is known of the effect, in words. Always one row.
WITH
    (SELECT (count(), any(label), any(name), any(programme_name), any(from_day), any(to_day),
             anyIf(effect, measure != 'gap'), anyIf(low, measure != 'gap'), anyIf(high, measure != 'gap'), anyIf(not_computed, measure != 'gap'), anyIf(places, measure != 'gap'),
             anyIf(effect, measure = 'gap'), anyIf(low, measure = 'gap'), anyIf(high, measure = 'gap'), anyIf(not_computed, measure = 'gap'))
     FROM reporting.interventions
     WHERE programme = ${programme:sqlstring} AND concat(code, '|', toString(from_day), '|', label) = ${intervention:sqlstring}) AS found,
    (low, high) -> multiIf(low > 0 OR high < 0, 'more than chance makes', 'too uncertain to tell from no effect') AS certainty
SELECT if(found.1 = 0,
    concat('No intervention of ', (SELECT any(programme_name) FROM reporting.programmes WHERE programme = ${programme:sqlstring}), ' is loaded for ',
           (SELECT any(name) FROM reporting.geographies WHERE code = ${system:sqlstring}), '. Loading a file of interventions shows here what happened before, during and after each.'),
    concat(found.2, ' in ', found.3, ', ', formatDateTime(found.5, '%e %b %Y'), ' ', ifNull(concat('to ', formatDateTime(found.6, '%e %b %Y')), 'and going on'), ' (', found.4, '): ',
        if(isNull(found.7), concat('its effect on the pace is not computed: ', found.10),
           concat(printf('the most deprived fifth gained %.1f points a week %s than in %d other places (95 %% interval %.1f to %.1f), ',
                         abs(found.7) * 100, if(found.7 < 0, 'less', 'more'), found.11, 100 * found.8, 100 * found.9), certainty(found.8, found.9))),
        if(isNull(found.12), concat('; its effect on the gap is not computed: ', found.15),
           concat(printf('; the gap is %.1f points %s than it would be had it changed as theirs (%.1f to %.1f), ',
                         abs(found.12) * 100, if(found.12 < 0, 'narrower', 'wider'), 100 * found.13, 100 * found.14), certainty(found.13, found.14))), '.')) AS sentence
