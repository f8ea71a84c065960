"""A method that sends another part of the vector up in each round."""
