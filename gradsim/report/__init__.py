"""What people look at: tables as text, and pictures."""
