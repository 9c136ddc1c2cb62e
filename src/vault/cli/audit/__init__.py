"""What the audit commands do behind their options: calling, reading, drawing, verifying, comparing."""
