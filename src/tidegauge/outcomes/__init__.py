"""How right a model is: pure functions of mergeable counts of scores, predictions and labels."""
