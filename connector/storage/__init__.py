"""SQL, and only SQL: tables, queries, migrations, on SQLite and PostgreSQL."""
