//! The files of `/proc` that tell about the node: one module each, each a pure function from the
//! file's bytes to what it says. Any bytes are survived; what is not there is `None`.

pub mod diskstats;
pub mod loadavg;
pub mod meminfo;
pub mod mounts;
pub mod net_dev;
pub mod pressure;
pub mod route;
pub mod stat;
pub mod uptime;
pub mod vmstat;
