SELECT countIf(silent) AS "Silent" FROM reporting.providers
