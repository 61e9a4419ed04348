"""What is solved: losses, penalties, data sets and worlds."""
