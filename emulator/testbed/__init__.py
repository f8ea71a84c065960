"""Messages timed over a network with no training: what they are, and how long they take."""
