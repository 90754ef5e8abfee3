-- All links between pseudonyms: whether an end has an event still, and whether the message that the link came with is
-- handled, since until then its event may be on its way.
WITH ends AS (SELECT person FROM prevention.links UNION ALL SELECT previous FROM prevention.links),
     holders AS (SELECT DISTINCT person FROM prevention.events WHERE person IN ends)
SELECT person, previous, person IN holders OR previous IN holders,
       (stream, sequence) IN (SELECT stream, sequence FROM prevention.handled WHERE (stream, sequence) IN (SELECT stream, sequence FROM prevention.links))
FROM prevention.links
