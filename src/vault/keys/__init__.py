"""What becomes of a tenant's keys: one module a use case, and what several of them share. Without SQL."""
