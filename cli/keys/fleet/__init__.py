"""Keys wrapped for many TPMs at once, from a list of hosts."""
