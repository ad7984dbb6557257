//! The pages people see. They get finished values and return text; no service is reachable from here.

mod escape;
mod landing;

pub use escape::escape;
pub use landing::Landing;
