-- What became of the messages of all other streams, each once.
SELECT countIf(outcome = 'stored'), countIf(outcome = 'dead letter'), countIf(outcome = 'lost')
FROM prevention.handled FINAL WHERE stream != @stream
