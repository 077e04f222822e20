//! The wire format between collector and server: one self-contained frame per node and tick.
