"""Files of tables, records and ARFF, read block by block; downloads kept in a cache."""
