"""The leaderboard, and the reasons to doubt its gains."""
