//! The guike command
fn main() {}
