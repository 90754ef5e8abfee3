-- How far each programme is published.
SELECT programme, id FROM prevention.published_now WHERE season = '' AND place = ''
