//! What upstreams are like: the catalog (data), the address of a request, the windows a reply states, and
//! the verdict it amounts to. Sends nothing and remembers nothing.

mod address;
mod catalog;
mod discovery;
mod sign_in;
mod usage;
mod verdict;
mod windows;
mod windows_table;

pub use address::{BadAddress, PlainHttp, base_url, is_private, is_this_machine, upstream_path};
pub use catalog::Catalog;
pub use discovery::{BadDiscovery, documents, issuer, read as read_discovery};
pub use sign_in::{BadTenant, Definition, PackagedClient, Places, SecretIn, SignIns, Way, Writing, Yields};
pub use usage::UsageEndpoint;
pub use verdict::{Reply, retry_after};
