"""What the middle asks of the outside, as values and protocols."""
