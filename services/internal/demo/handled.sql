-- Messages of a stream that were stored and that became dead letters, each message once.
SELECT countIf(outcome = 'stored'), countIf(outcome = 'dead letter') FROM prevention.handled FINAL WHERE stream = ?
