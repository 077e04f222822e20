//! Why bytes are no frame.

use kubemonitor_model::{EntityId, EntityKind, Metric, NameError};

use crate::{MAX_ENTITIES, MAX_FRAME_BYTES, MAX_SECTION_COLUMNS, MAX_TEXT_BYTES};

/// Bytes that are no frame: what is wrong, and where.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset} of the frame: {problem}")]
pub struct FrameError {
    /// How far into the frame the trouble begins, in bytes.
    pub offset: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a frame.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Longer than [`MAX_FRAME_BYTES`].
    #[error("a frame has at most {MAX_FRAME_BYTES} bytes, this one has {0}")]
    FrameTooLong(usize),
    /// Something else than a frame.
    #[error("not a frame: it does not begin with `KMF`")]
    NotAFrame,
    /// From another time.
    #[error("version {0} of the format is not known here, only version 2: upgrade the server")]
    UnknownVersion(u8),
    /// The frame, or a section of it, ends within a value.
    #[error("it ends here, within a value")]
    Truncated,
    /// More after the last section, or within a section after its last whole value.
    #[error("{0} bytes are left after the last section")]
    Trailing(usize),
    /// A number in more bytes than it needs.
    #[error("a number is written in more bytes than it needs")]
    OverlongNumber,
    /// A number above 64 bits.
    #[error("a number does not fit 64 bits")]
    NumberTooLarge,
    /// A node's name that is none.
    #[error(transparent)]
    NodeName(#[from] NameError),
    /// A text that is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// A text of a length that no identity has.
    #[error("an identity has from 1 to {MAX_TEXT_BYTES} bytes, this one has {0}")]
    TextLength(u64),
    /// Sections must ascend by their kind, so that no kind comes twice and pods come before
    /// their containers.
    #[error("a section of kind {0} cannot stand here: sections are in ascending order of kind")]
    SectionOrder(u8),
    /// More columns than [`MAX_SECTION_COLUMNS`].
    #[error("a section has at most {MAX_SECTION_COLUMNS} columns, this one has {0}")]
    TooManyColumns(u64),
    /// A metric listed twice.
    #[error("`{}` is listed twice among the columns", .0.name())]
    ColumnTwice(Metric),
    /// More entities than [`MAX_ENTITIES`].
    #[error("a frame has at most {MAX_ENTITIES} entities")]
    TooManyEntities,
    /// An entity's head byte with bits that mean nothing here: reserved ones, a QoS class of
    /// something that is no pod, or a parent of something that is no container.
    #[error("the head byte {head:#010b} does not suit a {kind:?}")]
    Head {
        /// The byte.
        head: u8,
        /// What it was said of.
        kind: EntityKind,
    },
    /// A container of a pod that is not in the frame.
    #[error("there is no pod {0} in this frame")]
    NoSuchPod(u64),
    /// Presence bits beyond the last column.
    #[error("presence bits are set beyond the last column")]
    PresenceBits,
    /// A node's row that is not of the node whose frame it is.
    #[error("a row of node `{0}` is in another node's frame")]
    OtherNode(EntityId),
    /// Two rows of one entity.
    #[error("{kind:?} `{id}` is in the frame twice")]
    EntityTwice {
        /// What it is.
        kind: EntityKind,
        /// Who it is.
        id: EntityId,
    },
}
