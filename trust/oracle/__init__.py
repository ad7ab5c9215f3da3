"""What a profile says, against slow and obvious computation: checks, generated columns, small tables."""
