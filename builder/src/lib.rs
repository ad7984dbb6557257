#![doc = include_str!("../README.md")]

pub mod format;
pub mod image;
#[cfg(test)]
mod judge;
pub mod measure;
pub mod plan;
pub mod predict;
pub mod recipe;
pub mod sign;
pub mod store;
pub mod tree;

pub use image::{Extent, ImageLayout, Source, VirtualImage};
pub use measure::{Meter, Prediction};
pub use plan::{Plan, PlanId};
pub use store::{Blob, BlobStore, BlobStoreExt, BlobWriter, RecordStore, StoreError};
