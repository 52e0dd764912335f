"""The reference service: an API, workers and a task queue on PostgreSQL."""
