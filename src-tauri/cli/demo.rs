//! placeholder
use super::{Global, Trouble};
#[derive(Debug, clap::Args)]
pub struct Demo {}
impl Demo {
    pub async fn run(self, _g: &Global) -> Result<(), Trouble> {
        Ok(())
    }
}
