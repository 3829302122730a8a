//! What upstreams are like: the catalog (data), the address of a request, the windows a reply states, and
//! the verdict it amounts to. Sends nothing and remembers nothing.

mod address;
mod catalog;
mod verdict;
mod windows;
mod windows_table;

pub use address::{BadAddress, base_url, is_this_machine, upstream_path};
pub use catalog::Catalog;
pub use verdict::{Reply, retry_after};
