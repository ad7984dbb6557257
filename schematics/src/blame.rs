//! Whose fault an error is, without saying anything about HTTP.

/// Who has to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The caller asked for something that cannot be; asking again the same way cannot help.
    Caller,
    /// What was asked for does not exist.
    Missing,
    /// Something that is planned, but this build does not make it.
    Unsupported,
    /// A source we depend on did not deliver; asking again later may help.
    Upstream,
    /// We are at a limit of our own; asking again later will help.
    Busy,
    /// There is no room left to store something; asking again later may help.
    Full,
    /// A fault of ours.
    Ours,
}

/// An error that knows whose fault it is.
pub trait Blamed {
    /// Whose fault it is.
    fn blame(&self) -> Blame;
}
