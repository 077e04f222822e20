//! The wire format between collector and server: one self-contained frame per node and tick.
//!
//! [`encode`] turns a [`Tick`](kubemonitor_model::Tick) into bytes, [`decode`] turns any bytes into
//! a tick or a [`FrameError`] that says what is wrong at which byte. What comes out of `decode`
//! keeps every promise `Tick` makes: the node first, each container after its pod, no entity
//! twice. Where the bytes come from and where they go is not this crate's business.
//!
//! `docs/frame.md` describes the format byte by byte, for writers in other languages.

mod cursor;
mod decode;
mod encode;
mod error;

pub use decode::{Decoder, decode};
pub use encode::encode;
pub use error::{FrameError, Problem};

/// The media type of a frame, for HTTP's `Content-Type`.
pub const CONTENT_TYPE: &str = "application/vnd.kubemonitor.frame";

/// The header of an answer that says over how many milliseconds after a tick the senders are to
/// spread their frames, each in a place of its own.
pub const SPREAD_HEADER: &str = "x-kubemonitor-spread-ms";

/// The longest frame a decoder looks at: ten times what a node with 500 pods and 1,000 units sends.
pub const MAX_FRAME_BYTES: usize = 4 << 20;

/// The most entities a frame can have. Kubelets run 110 pods by default, some hundreds at most;
/// hosts with thousands of systemd units exist.
pub const MAX_ENTITIES: usize = 16_384;

/// The longest identity in bytes that is written as text.
pub const MAX_TEXT_BYTES: usize = 1024;

/// The most columns a section can have: room for catalogues to come.
pub const MAX_SECTION_COLUMNS: usize = 256;

/// What every frame begins with.
const MAGIC: [u8; 3] = *b"KMF";

/// The format this crate writes and reads.
const VERSION: u8 = 2;

/// The byte that begins each entity: what form its identity has, and what else is known of it.
mod head {
    pub(crate) const UUID: u8 = 0;
    pub(crate) const HASH: u8 = 1;
    pub(crate) const DIGEST: u8 = 2;
    pub(crate) const TEXT: u8 = 3;
    pub(crate) const FORM: u8 = 0b0000_0011;
    pub(crate) const QOS_SHIFT: u32 = 2;
    pub(crate) const QOS: u8 = 0b0000_1100;
    pub(crate) const NEWBORN: u8 = 0b0001_0000;
    pub(crate) const HAS_PARENT: u8 = 0b0010_0000;
    pub(crate) const RESERVED: u8 = 0b1100_0000;
}
