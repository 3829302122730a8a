//! The key of an account: typed unseen, or read from standard input to its end. Where none is wanted, one that comes all
//! the same is refused: whoever gave it believes that it is used.

use std::{io::Read, time::Duration};

use crate::{
    cli::{Code, Trouble, person},
    secrets::Sensitive,
};

/// What comes later by standard input was not meant for us; it stays unread, and that is said.
const PATIENCE: Duration = Duration::from_secs(1);

/// The key.
pub fn read_key() -> Result<Sensitive<String>, Trouble> {
    const MOST: u64 = 64 * 1024;
    let unread =
        |error| Trouble::new(Code::Failed, format!("the key could not be read from standard input: {error}"));
    if person::is_there() {
        return person::unseen("Key (it is not shown): ").map_err(unread);
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(MOST).read_to_string(&mut text);
    let key = Sensitive::new(text);
    read.map_err(unread)?;
    Ok(key)
}

/// That no key comes for an account of this provider, which has none. Nobody at a terminal is asked.
///
/// # Errors
/// If one does.
pub async fn no_key(provider: &str) -> Result<(), Trouble> {
    if person::is_there() {
        return Ok(());
    }
    let (tell, told) = tokio::sync::oneshot::channel();
    // Nobody waits for this thread: a pipe may stay open for as long as it likes.
    std::thread::spawn(move || {
        let bytes = std::io::stdin().lock().bytes();
        let came = bytes.map_while(Result::ok).any(|byte| !byte.is_ascii_whitespace());
        let _ = tell.send(came);
    });
    match tokio::time::timeout(PATIENCE, told).await {
        Ok(Ok(true)) => Err(Trouble::new(
            Code::Failed,
            format!(
                "a key came by standard input, and accounts of {provider} have none: they pass on what the client brings. \
                 Nothing was added; leave the key out (`< /dev/null` where standard input is somebody else's)"
            ),
        )),
        Ok(_) => Ok(()),
        Err(_) => {
            eprintln!("Standard input was left unread: accounts of {provider} have no key.");
            Ok(())
        }
    }
}
