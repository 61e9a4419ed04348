"""Estimators in scikit-learn's terms, one family a file."""
