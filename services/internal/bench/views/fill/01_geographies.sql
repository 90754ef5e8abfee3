-- A country of 9 regions, 42 systems, 300 places, 7,000 neighbourhoods and 1,250 primary care networks.
INSERT INTO prevention.geographies (level, code, name, place, system, region, generation)
WITH region -> format('X12{}', leftPad(toString(region), 6, '0')) AS region_code,
     system -> format('X54{}', leftPad(toString(system), 6, '0')) AS system_code,
     place -> format('X07{}', leftPad(toString(place), 6, '0')) AS place_code,
     place -> intDiv(place * @systems, @places) AS system_of,
     system -> intDiv(system * @regions, @systems) AS region_of
SELECT 'england' AS level, 'E92000001' AS code, 'England' AS name, '' AS place, '' AS system, '' AS region, 1 AS generation
UNION ALL SELECT 'region', region_code(number), format('Region {}', toString(number)), '', '', '', 1 FROM numbers(@regions)
UNION ALL SELECT 'system', system_code(number), format('System {}', toString(number)), '', '', region_code(region_of(number)), 1 FROM numbers(@systems)
UNION ALL SELECT 'place', place_code(number), format('Place {}', toString(number)), '', system_code(system_of(number)), region_code(region_of(system_of(number))), 1
FROM numbers(@places)
UNION ALL SELECT 'pcn', format('SYNP{}', leftPad(toString(number), 4, '0')), format('Network {}', toString(number)),
       place_code(intDiv(number * @places, @pcns)), system_code(system_of(intDiv(number * @places, @pcns))), '', 1
FROM numbers(@pcns)
UNION ALL SELECT 'neighbourhood', format('X02{}', leftPad(toString(number), 6, '0')), format('Neighbourhood {}', toString(number)),
       place_code(intDiv(number * @places, @neighbourhoods)), system_code(system_of(intDiv(number * @places, @neighbourhoods))),
       region_code(region_of(system_of(intDiv(number * @places, @neighbourhoods)))), 1
FROM numbers(@neighbourhoods)
