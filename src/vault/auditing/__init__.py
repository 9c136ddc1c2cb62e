"""What auditors ask of their log: one module a use case, and what several of them share. Without SQL."""
