SELECT name FROM system.tables WHERE database = 'reporting' ORDER BY name != 'uptake', name
