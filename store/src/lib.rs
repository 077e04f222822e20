//! The in-memory time-series store: thousands of entities with the same few integer metrics on the
//! same ticks. Knows nothing of HTTP or Kubernetes.
