//! The `kubemonitor` command line.
