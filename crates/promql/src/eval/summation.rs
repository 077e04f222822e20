//! Sums, means and variances that lose as little as Prometheus' own: with the correction of Kahan and
//! Neumaier.

/// A sum, with what rounding took from it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        if sum.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - sum) + value;
        } else {
            self.lost += (value - sum) + self.sum;
        }
        self.sum = sum;
    }

    pub(crate) fn value(self) -> f64 {
        // An infinite sum has lost nothing that is known.
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }
}

/// A mean: a sum over a count, as long as the sum does not overflow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    sum: Sum,
    count: f64,
    /// The sum has overflowed: from there on it is the mean.
    is_incremental: bool,
}

impl Mean {
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.is_incremental {
            let mut sum = self.sum;
            sum.add(value);
            if self.count < 2.0 || !sum.sum.is_infinite() {
                self.sum = sum;
                return;
            }
            self.is_incremental = true;
            self.sum.sum /= self.count - 1.0;
            self.sum.lost /= self.count - 1.0;
        }
        let weight = (self.count - 1.0) / self.count;
        let mut mean = Sum { sum: weight * self.sum.sum, lost: weight * self.sum.lost };
        mean.add(value / self.count);
        self.sum = mean;
    }

    pub(crate) fn value(self) -> f64 {
        if self.is_incremental {
            return self.sum.sum + self.sum.lost;
        }
        self.sum.sum / self.count + self.sum.lost / self.count
    }
}

/// A variance, by the method of Welford.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Variance {
    count: f64,
    mean: Sum,
    squares: Sum,
}

impl Variance {
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - (self.mean.sum + self.mean.lost);
        self.mean.add(delta / self.count);
        self.squares.add(delta * (value - (self.mean.sum + self.mean.lost)));
    }

    pub(crate) fn value(self) -> f64 {
        (self.squares.sum + self.squares.lost) / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounding_would_lose_is_kept() {
        let mut sum = Sum::default();
        for value in [1.0, 1e100, 1.0, -1e100] {
            sum.add(value);
        }
        assert!((sum.value() - 2.0).abs() < f64::EPSILON);
        let mut infinite = Sum::default();
        for value in [f64::INFINITY, 1.0] {
            infinite.add(value);
        }
        assert!(infinite.value().is_infinite());
    }

    #[test]
    fn a_mean_survives_a_sum_that_overflows() {
        let mut mean = Mean::default();
        for value in [f64::MAX; 3] {
            mean.add(value);
        }
        assert!((mean.value() / f64::MAX - 1.0).abs() < 1e-12);
    }

    #[test]
    fn equal_values_do_not_vary() {
        let mut variance = Variance::default();
        for value in [7.5; 3] {
            variance.add(value);
        }
        assert!(variance.value().abs() < f64::EPSILON);
    }
}
