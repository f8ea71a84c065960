"""A Flower app that trains a linear classifier of 20 Newsgroups and records its messages."""
