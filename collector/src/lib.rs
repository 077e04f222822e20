//! The collector: samples this host on aligned ticks and sends one frame per tick.
