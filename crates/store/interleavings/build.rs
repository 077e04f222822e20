//! Says that this is the model: `crates/store/src/sync.rs` asks.

fn main() {
    println!("cargo::rustc-cfg=shuttle");
    println!("cargo::rerun-if-changed=build.rs");
}
