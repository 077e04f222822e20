//! From the parser's tree to a plan.

use std::time::{Duration, SystemTime};

use promql_parser::{
    label::{MatchOp as ParsedOp, Matchers},
    parser::{
        self, AtModifier, BinModifier, Expr as Parsed, LabelModifier, Offset,
        VectorMatchCardinality,
    },
};

use super::{
    Aggregation, At, Binary, Cardinality, Expr, Function, Grouping, Matching, Node, Operator,
    Selector, Shift,
    places::{Places, Thing},
};
use crate::{MatchOp, Matcher, QueryError, labels::NAME};

const EXPERIMENTAL: &str = "it is experimental in Prometheus";

pub(super) fn plan(query: &str) -> Result<Expr, QueryError> {
    let parsed = parser::parse(query).map_err(QueryError::Parse)?;
    expression(&parsed, &mut Places::new(query))
}

fn unsupported(what: impl Into<String>, why: &'static str) -> QueryError {
    QueryError::Unsupported { what: what.into(), why }
}

fn expression(parsed: &Parsed, places: &mut Places<'_>) -> Result<Expr, QueryError> {
    let (at, node) = match parsed {
        Parsed::Paren(paren) => {
            let at = places.find(Thing::Open);
            let inner = expression(&paren.expr, places)?;
            (at, inner.node)
        }
        Parsed::NumberLiteral(number) => {
            let is_negative = number.val.is_sign_negative() && !number.val.is_nan();
            let minus = is_negative.then(|| places.find(Thing::Minus));
            let digits = places.find(Thing::Number);
            (minus.unwrap_or(digits), Node::Number(number.val))
        }
        Parsed::StringLiteral(text) => {
            let at = places.find(Thing::Text);
            let is_utf8 = escaped_bytes_are_utf8(places.literal_from(at));
            // Escapes can say bytes that are no text. Nothing is called so; it must not be taken for another.
            let text = if is_utf8 { text.val.clone() } else { '\u{fffd}'.to_string() };
            (at, Node::Text(text))
        }
        Parsed::Unary(unary) => {
            let at = places.find(Thing::Minus);
            (at, Node::Negate(Box::new(expression(&unary.expr, places)?)))
        }
        Parsed::VectorSelector(vector) => {
            let (at, selector) = selector(vector, places)?;
            (at, Node::Selector(selector))
        }
        Parsed::MatrixSelector(matrix) => {
            let (at, selector) = selector(&matrix.vs, places)?;
            (at, Node::Window { selector, range_ms: millis(matrix.range) })
        }
        Parsed::Subquery(subquery) => {
            let inner = Box::new(expression(&subquery.expr, places)?);
            let range_ms = millis(subquery.range);
            let step_ms = subquery.step.map(millis).filter(|step| *step > 0);
            let shift = shift(subquery.at.as_ref(), subquery.offset.as_ref());
            (inner.at, Node::Subquery { inner, range_ms, step_ms, shift })
        }
        Parsed::Aggregate(aggregate) => {
            let name = aggregate.op.to_string();
            let at = places.find(Thing::Name(&name));
            let op = aggregation(&name)?;
            let parameter = aggregate.param.as_ref();
            let parameter = parameter.map(|param| expression(param, places)).transpose()?;
            let inner = Box::new(expression(&aggregate.expr, places)?);
            let grouping = match &aggregate.modifier {
                Some(LabelModifier::Include(labels)) => Grouping::By(labels.labels.clone()),
                Some(LabelModifier::Exclude(labels)) => Grouping::Without(labels.labels.clone()),
                None => Grouping::By(Vec::new()),
            };
            (at, Node::Aggregate { op, inner, parameter: parameter.map(Box::new), grouping })
        }
        Parsed::Binary(parsed) => {
            let left = expression(&parsed.lhs, places)?;
            let right = expression(&parsed.rhs, places)?;
            let default = BinModifier::default();
            let modifier = parsed.modifier.as_ref().unwrap_or(&default);
            if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
                return Err(unsupported("the modifier fill", EXPERIMENTAL));
            }
            let (matching, cardinality) = matching(modifier);
            let (op, returns_bool) = (operator(&parsed.op.to_string())?, modifier.return_bool);
            let binary = Binary { op, left, right, returns_bool, matching, cardinality };
            (binary.left.at, Node::Binary(Box::new(binary)))
        }
        Parsed::Call(call) => {
            let at = places.find(Thing::Name(call.func.name));
            let function = Function::named(call.func.name, call.func.experimental)?;
            let args = call.args.args.iter().map(|arg| expression(arg, places));
            (at, Node::Call { function, args: args.collect::<Result<_, _>>()? })
        }
        Parsed::Extension(_) => return Err(unsupported("an extension", "PromQL has none")),
    };
    Ok(Expr { at, node })
}

fn selector(
    parsed: &parser::VectorSelector,
    places: &mut Places<'_>,
) -> Result<(usize, Selector), QueryError> {
    // A name that stands in the braces, in quotes, is the selector's too.
    let at = match &parsed.name {
        Some(name) if crate::labels::is_plain_name(&name.replace(':', "_")) => {
            places.find(Thing::Name(name))
        }
        _ => places.find(Thing::Braces),
    };
    let Matchers { matchers, or_matchers } = &parsed.matchers;
    if !or_matchers.is_empty() {
        return Err(unsupported("`or` between matchers", "Prometheus has none"));
    }
    let mut all: Vec<Matcher> = matchers
        .iter()
        .map(|matcher| Matcher {
            name: matcher.name.clone(),
            value: matcher.value.clone(),
            op: match &matcher.op {
                ParsedOp::Equal => MatchOp::Equal,
                ParsedOp::NotEqual => MatchOp::NotEqual,
                ParsedOp::Re(regex) => MatchOp::Matches(regex.clone()),
                ParsedOp::NotRe(regex) => MatchOp::MatchesNot(regex.clone()),
            },
        })
        .collect();
    if let Some(name) = &parsed.name {
        all.push(Matcher { name: NAME.to_owned(), value: name.clone(), op: MatchOp::Equal });
    }
    let shift = shift(parsed.at.as_ref(), parsed.offset.as_ref());
    Ok((at, Selector { matchers: all, shift }))
}

fn shift(at: Option<&AtModifier>, offset: Option<&Offset>) -> Shift {
    let at = at.map(|at| match at {
        AtModifier::Start => At::Start,
        AtModifier::End => At::End,
        AtModifier::At(time) => At::Time(match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => millis(after),
            Err(before) => -millis(before.duration()),
        }),
    });
    let offset_ms = match offset {
        Some(Offset::Pos(offset)) => millis(*offset),
        Some(Offset::Neg(offset)) => -millis(*offset),
        None => 0,
    };
    Shift { at, offset_ms }
}

fn matching(modifier: &BinModifier) -> (Matching, Cardinality) {
    let matching = match &modifier.matching {
        Some(LabelModifier::Include(labels)) => Matching::On(labels.labels.clone()),
        Some(LabelModifier::Exclude(labels)) => Matching::Ignoring(labels.labels.clone()),
        None => Matching::Ignoring(Vec::new()),
    };
    let cardinality = match &modifier.card {
        VectorMatchCardinality::ManyToOne(labels) => Cardinality::ManyToOne(labels.labels.clone()),
        VectorMatchCardinality::OneToMany(labels) => Cardinality::OneToMany(labels.labels.clone()),
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => {
            Cardinality::OneToOne
        }
    };
    (matching, cardinality)
}

/// Whether what `\xHH` and `\OOO` in a literal say is UTF-8.
fn escaped_bytes_are_utf8(literal: &str) -> bool {
    let (mut bytes, mut rest) = (Vec::new(), literal.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let (digits, radix) = match (first, after) {
            (b'\\', [b'x', high, low, ..]) => (vec![*high, *low], 16),
            (b'\\', [a @ b'0'..=b'7', b, c, ..]) => (vec![*a, *b, *c], 8),
            _ => {
                bytes.push(first);
                rest = after;
                continue;
            }
        };
        let digits = String::from_utf8_lossy(&digits).into_owned();
        bytes.push(u8::from_str_radix(&digits, radix).unwrap_or(b'?'));
        rest = &after[3..];
    }
    std::str::from_utf8(&bytes).is_ok()
}

fn aggregation(name: &str) -> Result<Aggregation, QueryError> {
    Ok(match name {
        "sum" => Aggregation::Sum,
        "avg" => Aggregation::Avg,
        "min" => Aggregation::Min,
        "max" => Aggregation::Max,
        "count" => Aggregation::Count,
        "group" => Aggregation::Group,
        "stddev" => Aggregation::Stddev,
        "stdvar" => Aggregation::Stdvar,
        "topk" => Aggregation::Topk,
        "bottomk" => Aggregation::Bottomk,
        "quantile" => Aggregation::Quantile,
        "count_values" => Aggregation::CountValues,
        _ => return Err(unsupported(format!("{name}()"), EXPERIMENTAL)),
    })
}

fn operator(sign: &str) -> Result<Operator, QueryError> {
    Ok(match sign {
        "+" => Operator::Add,
        "-" => Operator::Subtract,
        "*" => Operator::Multiply,
        "/" => Operator::Divide,
        "%" => Operator::Modulo,
        "^" => Operator::Power,
        "atan2" => Operator::Atan2,
        "==" => Operator::Equal,
        "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        "<" => Operator::Less,
        ">=" => Operator::GreaterOrEqual,
        "<=" => Operator::LessOrEqual,
        "and" => Operator::And,
        "or" => Operator::Or,
        "unless" => Operator::Unless,
        _ => return Err(unsupported(format!("the operator {sign}"), EXPERIMENTAL)),
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
