//! What keeps sign-ins from being renewed outlives a restart, and not its account.

use super::{Folder, add, at};
use crate::domain::{Mending, RenewalTrouble};

fn trouble(needs: Option<Mending>) -> RenewalTrouble {
    let why = "it was out of reach".into();
    RenewalTrouble { tokens_at: at(100), failures: 3, why, at: at(200), again_at: at(240), needs }
}

#[test]
fn trouble_comes_back_as_it_was_written_and_goes_with_a_success() {
    let folder = Folder::new();
    let store = folder.open();
    let id = add(&store, "work").id;
    for needs in [None, Some(Mending::SignIn), Some(Mending::Client)] {
        store.save_renewal(id, Some(&trouble(needs))).unwrap();
        assert_eq!(store.renewals().unwrap(), [(id, trouble(needs))]);
    }
    store.close().unwrap();
    let store = folder.open();
    assert_eq!(store.renewals().unwrap().len(), 1, "after a restart too");
    store.save_renewal(id, None).unwrap();
    assert_eq!(store.renewals().unwrap(), []);
}

#[test]
fn of_a_removed_account_nothing_is_kept() {
    let folder = Folder::new();
    let store = folder.open();
    let id = add(&store, "work").id;
    store.save_renewal(id, Some(&trouble(None))).unwrap();
    store.remove_account(id, at(300)).unwrap();
    assert_eq!(store.renewals().unwrap(), []);
    store.save_renewal(id, Some(&trouble(None))).unwrap();
    assert_eq!(store.renewals().unwrap(), [], "not even what comes late");
}
