-- One row for each reason and field, and always one for all of them. The number is the dead letters of the last hour where
-- they are many more than in the busiest hour of a usual day, else 0.
SELECT letters.reason AS reason, letters.field AS field, letters.sentence AS sentence,
       toFloat64(if(letters.rising, letters.last_hour, 0)) AS last_hour
FROM reporting.dead_letters_now AS letters
ORDER BY reason, field
