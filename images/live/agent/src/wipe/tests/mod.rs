//! Whole wipes.
//! x
//! y
