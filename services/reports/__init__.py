"""Reports: what the log has come to, as an API, a dashboard and one digest. Reads, never writes."""
