//! Reads a Linux host: /proc and cgroup v1, v2 and hybrid trees. Pure parsers plus a thin reader.
