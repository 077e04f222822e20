//! Answers.

use crate::Labels;

/// A value at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Unix ms.
    pub at_ms: i64,
    /// The value.
    pub value: f64,
}

/// Labels with values over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Who it is.
    pub labels: Labels,
    /// At least one point, ascending in time.
    pub points: Vec<Point>,
}

/// What a query evaluates to.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number, of an instant query.
    Scalar(Point),
    /// A text, of an instant query.
    Text(String),
    /// One point of each series, of an instant query.
    Vector(Vec<(Labels, Point)>),
    /// Series with their points: of a range query, or of an instant query for a range.
    Matrix(Vec<Series>),
}
