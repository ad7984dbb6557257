//! How each kind of image is put together from ready inputs. Pure: extents in, extents out.

pub mod addon;
pub mod initramfs;
pub mod installer;
pub mod iso;
pub mod uki;
