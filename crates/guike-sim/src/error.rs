//! Parameters that no shop can have.

/// A parameter outside its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{name}` = {value} is not possible; it must be {rule}")]
pub struct SimError {
    /// The parameter.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// Its range in words.
    pub rule: &'static str,
}

pub(crate) fn positive(name: &'static str, value: f64) -> Result<(), SimError> {
    if value > 0.0 && value.is_finite() { Ok(()) } else { Err(SimError { name, value, rule: "above 0 and finite" }) }
}

pub(crate) fn share(name: &'static str, value: f64) -> Result<(), SimError> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(SimError { name, value, rule: "between 0 and 1" }) }
}
