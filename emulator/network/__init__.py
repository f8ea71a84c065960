"""How bytes take time: shared links (`fluid`) and messages over them (`transfer`)."""
