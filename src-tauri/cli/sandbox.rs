//! placeholder
use super::{Global, Trouble};
#[derive(Debug, clap::Args)]
pub struct Sandbox {}
impl Sandbox { pub async fn run(self  ) -> Result<(), Trouble> { Ok(()) } }
