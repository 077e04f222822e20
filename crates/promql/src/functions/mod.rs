//! The functions of PromQL.

mod absence;
mod calendar;
mod histogram;
mod math;
mod over_time;
pub(crate) mod quantile;
mod range;
mod relabel;
mod sort;

use crate::{
    QueryError,
    eval::{Column, Evaluated, Evaluator},
    plan::{Expr, Kind, Node},
};

macro_rules! functions {
    ($($variant:ident $name:literal $group:ident;)*) => {
        /// A function of PromQL.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "they are called as in PromQL")]
        pub enum Function { $($variant),* }

        impl Function {
            /// The function of a name.
            pub(crate) fn named(name: &str, is_experimental: bool) -> Result<Self, QueryError> {
                match name {
                    $($name => Ok(Self::$variant),)*
                    _ => Err(QueryError::Unsupported {
                        what: format!("{name}()"),
                        why: if is_experimental {
                            "it is experimental in Prometheus"
                        } else {
                            "it is of native histograms, and samples are floats here"
                        },
                    }),
                }
            }

            /// The name.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            fn group(self) -> Group {
                match self { $(Self::$variant => Group::$group),* }
            }
        }
    };
}

/// What functions of one kind have in common: what they are applied to, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// A number without an argument.
    Number,
    /// Each value by itself, with numbers beside.
    Math,
    /// Each value as a time.
    Calendar,
    /// The samples of a range.
    Range,
    /// Labels.
    Labels,
    /// What is not there.
    Absence,
    /// Buckets of a histogram.
    Histogram,
    /// The order of the answer.
    Order,
    /// Numbers from vectors and back.
    Conversion,
}

functions! {
    Abs "abs" Math;
    Absent "absent" Absence;
    AbsentOverTime "absent_over_time" Absence;
    Acos "acos" Math;
    Acosh "acosh" Math;
    Asin "asin" Math;
    Asinh "asinh" Math;
    Atan "atan" Math;
    Atanh "atanh" Math;
    AvgOverTime "avg_over_time" Range;
    Ceil "ceil" Math;
    Changes "changes" Range;
    Clamp "clamp" Math;
    ClampMax "clamp_max" Math;
    ClampMin "clamp_min" Math;
    Cos "cos" Math;
    Cosh "cosh" Math;
    CountOverTime "count_over_time" Range;
    DayOfMonth "day_of_month" Calendar;
    DayOfWeek "day_of_week" Calendar;
    DayOfYear "day_of_year" Calendar;
    DaysInMonth "days_in_month" Calendar;
    Deg "deg" Math;
    Delta "delta" Range;
    Deriv "deriv" Range;
    Exp "exp" Math;
    Floor "floor" Math;
    HistogramFraction "histogram_fraction" Histogram;
    HistogramQuantile "histogram_quantile" Histogram;
    Hour "hour" Calendar;
    Idelta "idelta" Range;
    Increase "increase" Range;
    Irate "irate" Range;
    LabelJoin "label_join" Labels;
    LabelReplace "label_replace" Labels;
    LastOverTime "last_over_time" Range;
    Ln "ln" Math;
    Log10 "log10" Math;
    Log2 "log2" Math;
    MaxOverTime "max_over_time" Range;
    MinOverTime "min_over_time" Range;
    Minute "minute" Calendar;
    Month "month" Calendar;
    Pi "pi" Number;
    PredictLinear "predict_linear" Range;
    PresentOverTime "present_over_time" Range;
    QuantileOverTime "quantile_over_time" Range;
    Rad "rad" Math;
    Rate "rate" Range;
    Resets "resets" Range;
    Round "round" Math;
    Scalar "scalar" Conversion;
    Sgn "sgn" Math;
    Sin "sin" Math;
    Sinh "sinh" Math;
    Sort "sort" Order;
    SortDesc "sort_desc" Order;
    Sqrt "sqrt" Math;
    StddevOverTime "stddev_over_time" Range;
    StdvarOverTime "stdvar_over_time" Range;
    SumOverTime "sum_over_time" Range;
    Tan "tan" Math;
    Tanh "tanh" Math;
    Time "time" Number;
    Timestamp "timestamp" Conversion;
    Vector "vector" Conversion;
    Year "year" Calendar;
}

impl Function {
    /// What it evaluates to.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Pi | Self::Time | Self::Scalar => Kind::Scalar,
            _ => Kind::Vector,
        }
    }

    /// Whether it depends on the step alone, called with so many arguments.
    pub(crate) fn tells_the_time(self, args: usize) -> bool {
        match self {
            // What is predicted is so long after the step, whatever the samples are.
            Self::Time | Self::Timestamp | Self::PredictLinear => true,
            _ => self.group() == Group::Calendar && args == 0,
        }
    }
}

/// Evaluates a function.
pub(crate) fn call(
    evaluator: &Evaluator<'_>,
    at: usize,
    function: Function,
    args: &[Expr],
) -> Result<Evaluated, QueryError> {
    let vector = |columns: Vec<Column>| Evaluated::Vector(columns);
    match function.group() {
        Group::Number => Ok(Evaluated::Scalar(number(evaluator, function))),
        Group::Math => math::call(evaluator, function, args).map(vector),
        Group::Calendar => calendar::call(evaluator, function, args).map(vector),
        Group::Range => range::call(evaluator, function, args).map(vector),
        Group::Labels => relabel::call(evaluator, function, args).map(vector),
        Group::Absence => absence::call(evaluator, function, args).map(vector),
        Group::Histogram => histogram::call(evaluator, function, args).map(vector),
        Group::Order => sort::call(evaluator, at, function, args).map(vector),
        Group::Conversion => conversion(evaluator, function, argument(args, 0)?),
    }
}

/// The argument at a place.
fn argument(args: &[Expr], place: usize) -> Result<&Expr, QueryError> {
    args.get(place)
        .ok_or_else(|| QueryError::Execution("the function lacks an argument".to_owned()))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds fit 53 bits")]
fn number(evaluator: &Evaluator<'_>, function: Function) -> Vec<f64> {
    match function {
        Function::Time => evaluator.steps.times().map(|at_ms| at_ms as f64 / 1000.0).collect(),
        _ => vec![std::f64::consts::PI; evaluator.steps.count],
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds fit 53 bits")]
fn conversion(
    evaluator: &Evaluator<'_>,
    function: Function,
    arg: &Expr,
) -> Result<Evaluated, QueryError> {
    match function {
        Function::Scalar => {
            let columns = evaluator.vector(arg)?;
            let only = |step: usize| {
                let mut present = columns
                    .iter()
                    .map(|c| c.values[step])
                    .filter(|v| crate::absent::is_present(*v));
                match (present.next(), present.next()) {
                    (Some(value), None) => value,
                    _ => f64::NAN,
                }
            };
            Ok(Evaluated::Scalar((0..evaluator.steps.count).map(only).collect()))
        }
        Function::Vector => {
            let values = evaluator.scalar(arg)?;
            let labels = crate::Labels::default();
            Ok(Evaluated::Vector(vec![Column { labels, drops_name: false, values }]))
        }
        _ => {
            let columns = if let Node::Selector(selector) = &arg.node {
                evaluator.newest_times(selector)?
            } else {
                let mut columns = evaluator.vector(arg)?;
                for column in &mut columns {
                    for (value, at_ms) in column.values.iter_mut().zip(evaluator.steps.times()) {
                        if crate::absent::is_present(*value) {
                            *value = at_ms as f64 / 1000.0;
                        }
                    }
                }
                columns
            };
            evaluator.without_names(columns).map(Evaluated::Vector)
        }
    }
}
