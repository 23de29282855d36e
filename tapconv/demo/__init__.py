"""`python -m tapconv demo`: worked examples, a recording and published models' layers, as a report with pictures."""
