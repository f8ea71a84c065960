"""One of each kind of plug-in. A method is in examples/rotating."""
