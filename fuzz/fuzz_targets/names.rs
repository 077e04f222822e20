//! A book of names of any bytes is read as far as it can be, and what it gave is in the book that is written anew.

#![no_main]

use std::{
    fs,
    sync::{Arc, LazyLock},
};

use kubemonitor_inventory::NameBook;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

fuzz_target!(|bytes: &[u8]| {
    let path = FOLDER.path().join("pods.jsonl");
    fs::write(&path, bytes).expect("a file");
    let Ok((mut book, pods)) = NameBook::open(&path) else { return };
    let pods: Vec<_> = pods.into_iter().map(Arc::new).collect();
    book.rewrite(&pods).expect("a file");
    let (_, again) = NameBook::open(&path).expect("what was just written");
    assert_eq!(again.len(), pods.len());
});
