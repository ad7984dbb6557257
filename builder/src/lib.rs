#![doc = include_str!("../README.md")]

pub mod image;
pub mod store;
pub mod tree;

pub use image::{Extent, ImageLayout, Source, VirtualImage};
pub use store::{Blob, BlobStore, BlobWriter, StoreError};
