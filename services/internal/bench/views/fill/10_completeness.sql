INSERT INTO prevention.completeness (programme, as_of, lag, basis, quintile_lags, last_complete, learnt_at)
SELECT @programme, toDate32(@complete) + 4, 4, 'learnt', [4, 4, 3, 3, 2], @complete, now64(3)
