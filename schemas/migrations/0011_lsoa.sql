-- +goose NO TRANSACTION
-- +goose Up

-- A dictionary of 8,192 texts is too small for the country's LSOAs: read from beyond it, this one column cost as much as the
-- ten others that are counted by.
ALTER TABLE prevention.events MODIFY COLUMN lsoa String;
