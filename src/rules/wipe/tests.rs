//! Tables of the wipe: what is planned, what is left, what a report proves.
//!
//! Facts are made by hand, disk by disk.
