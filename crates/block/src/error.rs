//! What can be wrong with a block.

/// Why a block, or a part of it, cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The end is not that of a block.
    #[error("these are no bytes of a block: the magic at the end is missing")]
    NoBlock,
    /// A program of another version wrote it.
    #[error(
        "the block has format {found}, and this program reads format {supported}: use the program that \
         wrote it, or start with an empty data directory"
    )]
    Version {
        /// The block's.
        found: u16,
        /// What can be read.
        supported: u16,
    },
    /// A checksum is not that of the bytes.
    #[error("the {part} is damaged: its checksum does not fit")]
    Checksum {
        /// Which part.
        part: &'static str,
    },
    /// The bytes end early, or say what cannot be.
    #[error("the {part} is damaged: {what}")]
    Malformed {
        /// Which part.
        part: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// More of something than the format can say.
    #[error("a block cannot hold {what}")]
    TooLarge {
        /// Of what.
        what: &'static str,
    },
}
