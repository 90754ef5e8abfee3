INSERT INTO prevention.last_days (programme, season, level, code, day, id, all_uptake, unknown_area, uptake, against, expected, chance, why,
    covered, eligible, short_best, short_target, gap, gap_low, gap_high, ratio, ratio_low, ratio_high, sii, sii_low, sii_high, rii, rii_low, rii_high, biggest_win, not_computed)
SELECT programme, season, toString(level), code, day, 2, all_covered / all_eligible, shown_covered[1] / all_covered, uptake, day - 364,
       arrayMap(u -> u + 0.03, uptake), arrayMap(u -> toNullable(0.01), uptake), arrayMap(u -> '', uptake),
       all_covered, all_eligible, arraySum(n -> ifNull(n, 0), short_best), arraySum(n -> ifNull(n, 0), short_target),
       gap, gap_low, gap_high, ratio, ratio_low, ratio_high, sii, sii_low, sii_high, rii, rii_low, rii_high, biggest_win, not_computed
FROM prevention.gap_days FINAL
WHERE programme = @programme AND season = @newest AND day = @complete AND fifths = 'national'
