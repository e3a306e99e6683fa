//! From many measurements to few figures.

/// The value at `percent` of the sorted values (nearest rank); the default for none.
pub fn quantile<T: Copy + PartialOrd + Default>(values: &mut [T], percent: usize) -> T {
    values.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or_default()
}

/// Lowest, middle and highest of some rounds: a figure with its spread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    /// The lowest.
    pub low: f64,
    /// The median.
    pub middle: f64,
    /// The highest.
    pub high: f64,
}

impl Spread {
    /// Of these rounds.
    pub fn of(rounds: impl IntoIterator<Item = f64>) -> Self {
        let mut rounds: Vec<f64> = rounds.into_iter().collect();
        Self {
            middle: quantile(&mut rounds, 50),
            low: rounds.first().copied().unwrap_or_default(),
            high: rounds.last().copied().unwrap_or_default(),
        }
    }
}
