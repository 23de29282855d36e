"""`python -m tapconv models`: whole networks with torch's convolutions, with tapconv's, and in other runtimes."""
