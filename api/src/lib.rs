//! The API server: takes frames and pushed samples, stores them, answers over REST.
