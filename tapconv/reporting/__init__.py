"""How results are shown, by the library and by its commands: tables, pictures, and what the machine is."""
