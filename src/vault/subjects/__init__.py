"""What becomes of subjects: one module a use case, and what several of them share. Without SQL."""
