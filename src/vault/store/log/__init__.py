"""The audit logs in the database: from pending events to trees that are verified, signed, anchored and read."""
