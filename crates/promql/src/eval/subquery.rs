//! Expressions evaluated at steps of their own, as the samples of windows.

use super::{Evaluator, Steps, Windows, window::WindowSeries};
use crate::{
    QueryError,
    absent::is_present,
    eval::Evaluated,
    plan::{Expr, Shift},
};

/// Steps that one subquery may have.
const MOST_STEPS: i64 = 11_000_000;

impl Evaluator<'_> {
    pub(super) fn subquery(
        &self,
        inner: &Expr,
        range_ms: i64,
        step_ms: Option<i64>,
        shift: Shift,
    ) -> Result<Windows, QueryError> {
        let ends = self.shifted(shift);
        let step_ms = step_ms.unwrap_or(self.context.subquery_step_ms).max(1);
        let (Some(first), Some(last)) = (ends.iter().min(), ends.iter().max()) else {
            return Ok(Windows { series: Vec::new(), range_ms, ends });
        };
        // Its steps are multiples of their distance, whatever those of the query are.
        let start = first.saturating_sub(range_ms);
        let start_ms = (start.div_euclid(step_ms).saturating_add(1)).saturating_mul(step_ms);
        let count = last.saturating_sub(start_ms).div_euclid(step_ms).saturating_add(1);
        if count > MOST_STEPS {
            return Err(QueryError::Execution(format!("a subquery of {count} steps is too long")));
        }
        let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) else {
            return Ok(Windows { series: Vec::new(), range_ms, ends });
        };
        let steps = Steps { start_ms, step_ms, count };
        let inside = Self { steps, ..*self };
        let columns = match inside.evaluate(inner)? {
            Evaluated::Scalar(values) => {
                let labels = crate::Labels::default();
                vec![super::Column { labels, drops_name: false, values }]
            }
            evaluated => evaluated.into_vector()?,
        };
        let series = columns.into_iter().map(|column| {
            let present = steps.times().zip(column.values).filter(|(_, value)| is_present(*value));
            let (times, values) = present.unzip();
            WindowSeries { labels: column.labels, drops_name: column.drops_name, times, values }
        });
        Ok(Windows { series: series.collect(), range_ms, ends })
    }
}
