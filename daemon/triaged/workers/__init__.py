"""What happens beside requests: each worker does one thing in small steps, and decides nothing."""
