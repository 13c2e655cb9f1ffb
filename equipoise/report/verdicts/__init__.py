"""Whether one of the strategies of a table is worth using, and how sure that is."""
