//! What the program has counted, as Prometheus reads it.

use appointd::metrics::{encode, registry};

/// The value of the one series with these parts.
pub fn value(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let mut found = text.lines().filter(|line| {
        let series = line.split_once(['{', ' ']).map(|(name, _)| name);
        series == Some(name) && labels.iter().all(|label| line.contains(label))
    });
    let value = found.next()?.rsplit(' ').next()?.parse().ok();
    assert_eq!(found.next(), None, "{name} {labels:?}");
    value
}

/// What this process has counted so far; tests beside this one count too.
pub fn counted<const N: usize>(name: &str, results: [&str; N]) -> [f64; N] {
    let text = encode(&registry([]));
    results.map(|result| value(&text, name, &[&format!("result=\"{result}\"")]).unwrap_or_default())
}
