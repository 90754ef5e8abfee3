-- The London day on which the newest event came in, and whether there are any.
SELECT toInt32(toDate32(max(received), 'Europe/London')) AS newest, count() > 0 AS some FROM prevention.events
