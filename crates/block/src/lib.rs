//! Blocks: immutable pieces of history, column by column.
//!
//! A block holds the rows of some series over a span of ticks: of one node, or of groups. One column
//! holds one metric of all series of a kind and is read without the others. A block says what it is:
//! magic, format version, the catalogue's wire ids, checksums, and a footer to find things by. Raw and
//! downsampled rows have one format; of a downsampled gauge, mean, lowest and highest are columns.
//!
//! ```text
//! block  := column* footer trailer
//! column := length of each series' page (varint)* page*      one page for each series of the kind
//! page   := [presence] [restarts] values                      of one series, in order of its ticks
//! footer := ticks series* directory                           all that is needed to find a page
//! trailer:= length of the footer (u32) crc32 of the footer (u32) version (u16) magic (6 bytes)
//! ```
//!
//! This crate does no I/O and knows no files: [`Trailer`] tells where a footer lies, [`Footer`] where a
//! column lies, and whoever holds the bytes (in memory, or in a file) brings them.

mod builder;
mod bytes;
#[cfg(test)]
mod catalogue_tests;
mod column;
mod error;
mod footer;
mod packing;
mod page;
mod runs;
mod ticks;

pub use builder::{BlockBuilder, SeriesBuilder};
pub use column::{Aspect, Column, ColumnKey, Values};
pub use error::BlockError;
pub use footer::{ColumnPlace, Footer, Series, TRAILER_BYTES, Trailer, VERSION};
pub use runs::Runs;
