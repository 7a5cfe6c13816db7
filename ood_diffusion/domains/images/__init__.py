"""How a user's files become square pictures: finding, reading, splitting, preprocessing."""
