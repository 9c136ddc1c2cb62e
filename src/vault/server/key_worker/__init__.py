"""The key worker: runs what was asked for of tenants' keys, step by step, while servers answer calls."""
