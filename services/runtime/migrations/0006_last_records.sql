-- The CRC-32 of the last record that was handled: a log that holds another one there is not the log that was read.
ALTER TABLE state.positions ADD COLUMN last_record bigint;
