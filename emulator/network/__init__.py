"""Times messages over shared links; it knows nothing of clients' work or learning."""
