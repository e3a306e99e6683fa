"""Asks DuckDB a question about a Parquet file: FILE SQL, where the SQL speaks of the table `entries`. Prints the rows as JSON."""

import json
import sys

import duckdb

file, sql = sys.argv[1:]
connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
connection.execute(f"CREATE VIEW entries AS SELECT * FROM read_parquet('{file}')")
print(json.dumps(connection.execute(sql).fetchall(), default=str))
