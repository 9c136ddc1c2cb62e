"""The streams of AuditService: tails, exports and reports, and who may still have them."""
