"""Times messages without training: simulated, or over the TCP of Linux."""
