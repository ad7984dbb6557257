//! Values for Talos' META partition.

/// One META value: what a machine finds under a key before it has any configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct MetaValue {
    /// The tag, 0 to 255; Talos names the known ones in its `meta` package.
    pub key: u8,
    /// The text.
    pub value: String,
}
