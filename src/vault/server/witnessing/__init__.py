"""Having checkpoints cosigned by witnesses."""
