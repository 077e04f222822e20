//! Two expressions and what is between them.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::{Column, Evaluated, Evaluator, column::merged, grouping::Groups};
use crate::{
    Labels, QueryError,
    absent::{ABSENT, is_absent, is_present},
    plan::{Binary, Cardinality, Matching, Operator},
};

impl Evaluator<'_> {
    pub(super) fn binary(&self, binary: &Binary) -> Result<Evaluated, QueryError> {
        let (left, right) = (self.evaluate(&binary.left)?, self.evaluate(&binary.right)?);
        let op = binary.op;
        match (left, right) {
            (Evaluated::Scalar(left), Evaluated::Scalar(right)) => {
                let values = left.into_iter().zip(right);
                let of = |(left, right)| {
                    if op.is_comparison() {
                        truth(op.holds(left, right))
                    } else {
                        op.of(left, right)
                    }
                };
                Ok(Evaluated::Scalar(values.map(of).collect()))
            }
            (Evaluated::Vector(columns), Evaluated::Scalar(numbers)) => {
                self.with_numbers(binary, columns, |step, value| (value, numbers[step]))
            }
            (Evaluated::Scalar(numbers), Evaluated::Vector(columns)) => {
                self.with_numbers(binary, columns, |step, value| (numbers[step], value))
            }
            (left, right) => {
                let (left, right) = (left.into_vector()?, right.into_vector()?);
                let columns = if op.is_set() {
                    self.sets(op, left, right, &binary.matching)?
                } else {
                    self.matched(binary, &left, &right)?
                };
                Ok(Evaluated::Vector(columns))
            }
        }
    }

    /// A vector and a number: `sides` puts a value and the number of its step in order.
    fn with_numbers(
        &self,
        binary: &Binary,
        mut columns: Vec<Column>,
        sides: impl Fn(usize, f64) -> (f64, f64),
    ) -> Result<Evaluated, QueryError> {
        let op = binary.op;
        let filters = op.is_comparison() && !binary.returns_bool;
        for column in &mut columns {
            for (step, value) in column.values.iter_mut().enumerate() {
                if is_absent(*value) {
                    continue;
                }
                let (left, right) = sides(step, *value);
                if !op.is_comparison() {
                    *value = op.of(left, right);
                } else if binary.returns_bool {
                    *value = truth(op.holds(left, right));
                } else if !op.holds(left, right) {
                    *value = ABSENT;
                }
            }
        }
        columns.retain(Column::has_any);
        if filters {
            return Ok(Evaluated::Vector(columns));
        }
        self.without_names(columns).map(Evaluated::Vector)
    }

    /// `and`, `or` and `unless`.
    fn sets(
        &self,
        op: Operator,
        mut left: Vec<Column>,
        mut right: Vec<Column>,
        matching: &Matching,
    ) -> Result<Vec<Column>, QueryError> {
        let (kept, other) =
            if op == Operator::Or { (&mut right, &left) } else { (&mut left, &right) };
        let mut groups = Groups::default();
        // At which steps the other side has something in each group.
        let there: Vec<Vec<bool>> = groups
            .sorted(other, |labels| matching.of(labels))
            .into_iter()
            .map(|members| {
                let has =
                    |step: usize| members.iter().any(|column| is_present(column.values[step]));
                (0..self.steps.count).map(has).collect()
            })
            .collect();
        for column in kept.iter_mut() {
            let there = there.get(groups.number(matching.of(&column.labels)));
            for (step, value) in column.values.iter_mut().enumerate() {
                let is_there = there.is_some_and(|there| there[step]);
                if is_there != (op == Operator::And) {
                    *value = ABSENT;
                }
            }
        }
        kept.retain(Column::has_any);
        if op == Operator::Or {
            left.append(&mut right);
            return merged(left);
        }
        Ok(left)
    }

    /// Arithmetic and comparisons between series that belong together.
    fn matched(
        &self,
        binary: &Binary,
        left: &[Column],
        right: &[Column],
    ) -> Result<Vec<Column>, QueryError> {
        // The side of which each partner is one alone.
        let one_is_left = matches!(binary.cardinality, Cardinality::OneToMany(_));
        let (many, one) = if one_is_left { (right, left) } else { (left, right) };
        let mut groups = Groups::default();
        let partners = groups.sorted(one, |labels| binary.matching.of(labels));
        let has_many = self.steps_with_any(many);
        for partners in partners.iter().filter(|partners| partners.len() > 1) {
            self.check_unique(
                binary,
                partners,
                &has_many,
                if one_is_left { "left" } else { "right" },
            )?;
        }
        let mut results = Results::default();
        // Which steps of a group have met their partner.
        let mut met = vec![Vec::new(); partners.len()];
        for column in many {
            self.context.budget.check()?;
            let group = groups.number(binary.matching.of(&column.labels));
            let Some(partners) = partners.get(group) else { continue };
            if binary.cardinality == Cardinality::OneToOne {
                meet(&mut met[group], column, partners)?;
            }
            for partner in partners {
                let (left, right) =
                    if one_is_left { (*partner, column) } else { (column, *partner) };
                let Some(values) = pairs(binary, &left.values, &right.values) else { continue };
                let (labels, drops_name) = self.labels_of_pair(binary, column, partner);
                results.add(labels, drops_name, values)?;
            }
        }
        Ok(results.columns)
    }

    fn steps_with_any(&self, columns: &[Column]) -> Vec<bool> {
        let has = |step: usize| columns.iter().any(|column| is_present(column.values[step]));
        (0..self.steps.count).map(has).collect()
    }

    /// Fails where two of the partners have a value at one step.
    fn check_unique(
        &self,
        binary: &Binary,
        partners: &[&Column],
        has_many: &[bool],
        side: &str,
    ) -> Result<(), QueryError> {
        for step in (0..self.steps.count).filter(|step| has_many[*step]) {
            let mut present = partners.iter().filter(|column| is_present(column.values[step]));
            if let (Some(first), Some(second)) = (present.next(), present.next()) {
                let group = binary.matching.of(&first.labels);
                return Err(QueryError::Execution(format!(
                    "found duplicate series for the match group {group} on the {side} hand-side of the \
                     operation: [{}, {}];many-to-many matching not allowed: matching labels must be \
                     unique on one side",
                    first.labels, second.labels
                )));
            }
        }
        Ok(())
    }

    fn labels_of_pair(&self, binary: &Binary, many: &Column, one: &Column) -> (Labels, bool) {
        let keeps_name = binary.op.is_comparison() && !binary.returns_bool;
        let (mut labels, drops_name) = if keeps_name {
            (many.labels.clone(), many.drops_name)
        } else {
            self.unnamed(&many.labels)
        };
        match &binary.cardinality {
            Cardinality::OneToOne => {
                labels = match &binary.matching {
                    Matching::On(names) => {
                        labels.filtered(|name| names.iter().any(|on| on == name))
                    }
                    Matching::Ignoring(names) => {
                        labels.filtered(|name| names.iter().all(|ignored| ignored != name))
                    }
                };
            }
            Cardinality::ManyToOne(taken) | Cardinality::OneToMany(taken) => {
                for name in taken {
                    labels = labels.with(name, one.labels.get(name));
                }
            }
        }
        (labels, drops_name)
    }
}

/// Fails where a step of a group has met its partner already.
fn meet(met: &mut Vec<bool>, column: &Column, partners: &[&Column]) -> Result<(), QueryError> {
    met.resize(column.values.len(), false);
    for (step, met) in met.iter_mut().enumerate() {
        let meets = is_present(column.values[step])
            && partners.iter().any(|partner| is_present(partner.values[step]));
        if meets && std::mem::replace(met, true) {
            return Err(QueryError::Execution(
                "multiple matches for labels: many-to-one matching must be explicit \
                 (group_left/group_right)"
                    .to_owned(),
            ));
        }
    }
    Ok(())
}

/// What pairs of values come to; `None` where no step has both, or no comparison holds.
fn pairs(binary: &Binary, left: &[f64], right: &[f64]) -> Option<Vec<f64>> {
    let op = binary.op;
    let mut has_any = false;
    let of = |(left, right): (&f64, &f64)| {
        let (left, right) = (*left, *right);
        if is_absent(left) || is_absent(right) {
            return ABSENT;
        }
        let value = if !op.is_comparison() {
            op.of(left, right)
        } else if binary.returns_bool {
            truth(op.holds(left, right))
        } else if op.holds(left, right) {
            left
        } else {
            ABSENT
        };
        has_any |= is_present(value) || op.is_comparison();
        value
    };
    let values: Vec<f64> = left.iter().zip(right).map(of).collect();
    has_any.then_some(values)
}

/// Results by their labels.
#[derive(Default)]
struct Results {
    places: HashMap<Labels, usize, FxBuildHasher>,
    columns: Vec<Column>,
}

impl Results {
    fn add(
        &mut self,
        labels: Labels,
        drops_name: bool,
        values: Vec<f64>,
    ) -> Result<(), QueryError> {
        let place = *self.places.entry(labels.clone()).or_insert(self.columns.len());
        let Some(into) = self.columns.get_mut(place) else {
            self.columns.push(Column { labels, drops_name, values });
            return Ok(());
        };
        into.drops_name |= drops_name;
        for (into, value) in into.values.iter_mut().zip(values) {
            if is_absent(*into) {
                *into = value;
            } else if is_present(value) {
                let message =
                    "multiple matches for labels: grouping labels must ensure unique matches";
                return Err(QueryError::Execution(message.to_owned()));
            }
        }
        Ok(())
    }
}

fn truth(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

impl Operator {
    /// What arithmetic makes of two numbers.
    fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Modulo => left % right,
            Self::Power => left.powf(right),
            Self::Atan2 => left.atan2(right),
            _ => f64::NAN,
        }
    }

    /// Whether a comparison holds.
    #[expect(clippy::float_cmp, reason = "`==` of PromQL is exact")]
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Greater => left > right,
            Self::Less => left < right,
            Self::GreaterOrEqual => left >= right,
            Self::LessOrEqual => left <= right,
            _ => false,
        }
    }
}
