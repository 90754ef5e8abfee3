ALTER TABLE prevention.removing DROP PARTITION @run
