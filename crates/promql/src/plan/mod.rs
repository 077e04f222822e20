//! A query in which everything is resolved: functions and operators are known ones, matchers are compiled,
//! durations are milliseconds, and each expression knows where in the text it begins.

mod build;
mod places;

pub use crate::functions::Function;
use crate::{Matcher, QueryError};

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// The byte of the query at which it begins.
    pub at: usize,
    /// What it is.
    pub node: Node,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum Node {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// The newest sample of series.
    Selector(Selector),
    /// The samples of series over a time.
    Window {
        /// Which series.
        selector: Selector,
        /// How long a time.
        range_ms: i64,
    },
    /// An expression evaluated at steps over a time.
    Subquery {
        /// The expression.
        inner: Box<Expr>,
        /// How long a time.
        range_ms: i64,
        /// How far apart the steps are; `None` for the engine's default.
        step_ms: Option<i64>,
        /// When that time ends.
        shift: Shift,
    },
    /// Series put together.
    Aggregate {
        /// How.
        op: Aggregation,
        /// The series.
        inner: Box<Expr>,
        /// What some need beside: a number, or the name of a label.
        parameter: Option<Box<Expr>>,
        /// Which are put together.
        grouping: Grouping,
    },
    /// The opposite.
    Negate(Box<Expr>),
    /// Two expressions and what is between them.
    Binary(Box<Binary>),
    /// A function's value.
    Call {
        /// The function.
        function: Function,
        /// What it is of.
        args: Vec<Expr>,
    },
}

/// Which series, and when.
#[derive(Clone, Debug)]
pub struct Selector {
    /// What their labels have to fit.
    pub matchers: Vec<Matcher>,
    /// When.
    pub shift: Shift,
}

/// The time that is looked at, seen from a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// Another time than the step's (`@`).
    pub at: Option<At>,
    /// How long before it (`offset`); negative for after it.
    pub offset_ms: i64,
}

/// A time that is the same for all steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The first step of the query.
    Start,
    /// Its last.
    End,
    /// Unix ms.
    Time(i64),
}

/// Which labels tell groups apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// These alone.
    By(Vec<String>),
    /// All but these, and the metric's name.
    Without(Vec<String>),
}

/// How series are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are called as in PromQL")]
pub enum Aggregation {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    Quantile,
    CountValues,
}

/// Two expressions and what is between them.
#[derive(Clone, Debug)]
pub struct Binary {
    /// What is between them.
    pub op: Operator,
    /// The one on the left,
    pub left: Expr,
    /// and the one on the right.
    pub right: Expr,
    /// A comparison gives 0 or 1 (`bool`) and filters nothing.
    pub returns_bool: bool,
    /// Which labels have to be equal.
    pub matching: Matching,
    /// How many of each side belong together.
    pub cardinality: Cardinality,
}

/// Which labels of two vectors have to be equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matching {
    /// These.
    On(Vec<String>),
    /// All but these, and the metric's name.
    Ignoring(Vec<String>),
}

/// How many series of each side belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// One and one.
    OneToOne,
    /// Many of the left belong to one of the right, of which they take these labels (`group_left`).
    ManyToOne(Vec<String>),
    /// Many of the right belong to one of the left (`group_right`).
    OneToMany(Vec<String>),
}

/// What is between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are called as in PromQL")]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    And,
    Or,
    Unless,
}

impl Operator {
    /// Whether it tells true from false.
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Greater
                | Self::Less
                | Self::GreaterOrEqual
                | Self::LessOrEqual
        )
    }

    /// Whether it looks at labels alone.
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}

/// What an expression evaluates to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are called as in PromQL")]
pub enum Kind {
    Scalar,
    Vector,
    Matrix,
    Text,
}

impl Expr {
    /// The expression in a text.
    ///
    /// # Errors
    /// If it is no PromQL, or has what this engine does not evaluate.
    pub fn parse(query: &str) -> Result<Self, QueryError> {
        build::plan(query)
    }

    /// What it evaluates to.
    pub fn kind(&self) -> Kind {
        match &self.node {
            Node::Number(_) => Kind::Scalar,
            Node::Text(_) => Kind::Text,
            Node::Selector(_) | Node::Aggregate { .. } => Kind::Vector,
            Node::Window { .. } | Node::Subquery { .. } => Kind::Matrix,
            Node::Negate(inner) => inner.kind(),
            Node::Binary(binary) => match (binary.left.kind(), binary.right.kind()) {
                (Kind::Scalar, Kind::Scalar) => Kind::Scalar,
                _ => Kind::Vector,
            },
            Node::Call { function, .. } => function.kind(),
        }
    }

    /// Whether it is the same at every step, so that evaluating it once is enough.
    pub(crate) fn is_invariant(&self) -> bool {
        match &self.node {
            Node::Number(_) | Node::Text(_) => true,
            Node::Selector(selector) | Node::Window { selector, .. } => selector.shift.at.is_some(),
            // What is inside has steps of its own; a fixed end fixes them all.
            Node::Subquery { shift, inner, .. } => shift.at.is_some() || inner.is_invariant(),
            Node::Aggregate { inner, parameter, .. } => {
                inner.is_invariant()
                    && parameter.as_ref().is_none_or(|parameter| parameter.is_invariant())
            }
            Node::Negate(inner) => inner.is_invariant(),
            Node::Binary(binary) => binary.left.is_invariant() && binary.right.is_invariant(),
            Node::Call { function, args } => {
                !function.tells_the_time(args.len()) && args.iter().all(Self::is_invariant)
            }
        }
    }
}
