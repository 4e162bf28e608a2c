//! What is remembered: the database behind one small trait, and the shelves of files (templates, artifacts, loaders).
//!
//! The trait speaks in the verbs of the stories and never in SQL; it decides nothing.
