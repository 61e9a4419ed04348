"""The figures of the block coordinate descent paper: runs, pictures, and the claims they show."""
