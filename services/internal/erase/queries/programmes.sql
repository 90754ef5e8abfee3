SELECT DISTINCT toString(programme) FROM prevention.published WHERE season = '' AND place = ''
