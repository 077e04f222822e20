//! Samples in memory: for tests, and for what is small.

use crate::{Labels, Samples, Selection, Storage, StorageError};

/// Samples in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage(Vec<Samples>);

impl MemoryStorage {
    /// Adds a sample. One at a time that the series has a sample at already takes its place.
    pub fn add(&mut self, labels: &Labels, at_ms: i64, value: f64) {
        let known = self.0.iter().position(|samples| samples.labels == *labels);
        let place = known.unwrap_or_else(|| {
            let (labels, times, values) = (labels.clone(), Vec::new(), Vec::new());
            self.0.push(Samples { labels, times, values });
            self.0.len() - 1
        });
        let samples = &mut self.0[place];
        match samples.times.binary_search(&at_ms) {
            Ok(place) => samples.values[place] = value,
            Err(place) => {
                samples.times.insert(place, at_ms);
                samples.values.insert(place, value);
            }
        }
    }
}

impl Storage for MemoryStorage {
    fn select(&self, selection: &Selection<'_>) -> Result<Vec<Samples>, StorageError> {
        let fits = |labels: &Labels| {
            selection.matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name)))
        };
        let chosen = self.0.iter().filter(|samples| fits(&samples.labels));
        let cut = chosen.map(|samples| {
            let from = samples.times.partition_point(|at| *at <= selection.after_ms);
            let to = samples.times.partition_point(|at| *at <= selection.until_ms).max(from);
            Samples {
                labels: samples.labels.clone(),
                times: samples.times[from..to].to_vec(),
                values: samples.values[from..to].to_vec(),
            }
        });
        Ok(cut.filter(|samples| !samples.times.is_empty()).collect())
    }
}
