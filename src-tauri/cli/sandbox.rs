//! placeholder
use super::Trouble;
#[derive(Debug, clap::Args)]
pub struct Sandbox {}
impl Sandbox {
    pub async fn run(self) -> Result<(), Trouble> {
        Ok(())
    }
}
