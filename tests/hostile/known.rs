//! The changes that crashed 0.1, one by one.
