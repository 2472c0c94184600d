"""The leaderboard for people and for programs."""
