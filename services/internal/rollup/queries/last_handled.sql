SELECT max(sequence) FROM prevention.handled WHERE stream = @stream
