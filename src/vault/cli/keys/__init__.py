"""What the commands about keys and approvals share."""
