"""Moving what is stored over to newer keys, some hundreds of rows a transaction, while calls go on."""
