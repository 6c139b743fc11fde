"""What the columns of X are before networks see them, and the way back."""
