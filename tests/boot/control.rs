//! Control media.
