"""Where rows live: tables, migrations, and the runner that turns a list of calls into one transaction."""
