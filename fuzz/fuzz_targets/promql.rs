//! Any text is a query or is refused; what is a query has an answer, or says why not, within its limits.

#![no_main]

use std::{sync::atomic::AtomicBool, time::Duration};

use kubemonitor_promql::{Engine, Labels, Limits, MemoryStorage};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut storage = MemoryStorage::default();
    for (pod, grown) in [("a", 3.0), ("b", -1.0)] {
        for metric in ["m_total", "x_bucket"] {
            let labels = Labels::new([("__name__", metric), ("pod", pod), ("le", "1")]);
            let mut value = 0.0;
            for place in 0..20 {
                storage.add(&labels, place * 15_000, value);
                value += grown;
            }
        }
    }
    let timeout = Duration::from_secs(2);
    let limits = Limits { max_samples: 100_000, timeout, max_steps: 100 };
    let engine = Engine { limits, ..Engine::default() };
    let never = AtomicBool::new(false);
    let _ = engine.instant(&storage, text, 200_000, &never);
    let _ = engine.range(&storage, text, (0, 300_000), 60_000, &never);
});
