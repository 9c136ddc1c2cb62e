"""What work on keys reads and moves: some hundreds of rows a transaction, while calls go on."""
