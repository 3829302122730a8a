//! What whoever wanted a renewal is told of it, where lives at random would seldom come by.

use std::{
    future::Future as _,
    pin::pin,
    task::{Context, Waker},
};

use super::*;

#[test]
fn an_answer_that_was_lost_on_its_way_ends_a_sign_in_only_when_the_server_has_said_so() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut life = Life::begin();
        life.issuer.books(|books| books.whims.push_back(Whim::LostAnswer));
        let told = life.renewals.renew(life.id).await.unwrap_err();
        assert!(matches!(told, NotRenewed::Failed { .. }), "it is tried again: {told:?}");
        life.is_as_promised();
        assert!(life.roster.snapshot().get(life.id).unwrap().account.refused.is_none());
        life.goes_through(Happens::Restart).await;
        let told = life.renewals.renew(life.id).await.unwrap_err();
        assert!(matches!(told, NotRenewed::Needs(_)), "the server takes it for stolen: {told:?}");
        life.is_as_promised();
        assert!(life.roster.snapshot().get(life.id).unwrap().account.refused.is_some());
    });
}

#[test]
fn whoever_came_behind_a_renewal_that_could_not_be_kept_was_told_that_there_was_none() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut life = Life::begin();
        life.goes_through(Happens::Forward(1)).await;
        life.goes_through(Happens::Vault { is_locked: true }).await;
        let refused = life.roster.bearer(life.id).unwrap();
        for _ in 0..2 {
            let told = life.renewals.renew_refused(life.id, &refused).await.unwrap_err();
            assert!(matches!(told, NotRenewed::Unkept { .. }), "{told:?}");
        }
    });
}

#[test]
fn a_token_that_came_while_a_renewal_went_on_was_asked_with_again_where_it_had_been_refused() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut life = Life::begin();
        life.issuer.is_open.send_replace(false);
        life.issuer.books(|books| books.is_wanted = true);
        let (renewals, id) = (life.renewals.clone(), life.id);
        let mut first = JoinSet::new();
        first.spawn(async move { renewals.renew(id).await });
        life.issuer.under_way.subscribe().wait_for(|count| *count > 0).await.unwrap();
        life.signs_in();
        let fresh = life.roster.bearer(id).unwrap();
        let mut second = pin!(life.renewals.renew_refused(id, &fresh));
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(second.as_mut().poll(cx).is_pending(), "it joins the renewal");
        life.issuer.is_open.send_replace(true);
        assert_eq!(second.await, Err(NotRenewed::Young));
        first.join_all().await;
    });
}

#[test]
fn a_renewal_that_breaks_off_keeps_nobody_waiting() {
    // A panic in the middle once left a lock behind, and every later renewal waited for it.
    #[derive(Debug)]
    struct Panics;
    impl Carrier for Panics {
        fn carry(&self, _: Request<Bytes>) -> Carried<'_> {
            Box::pin(async { panic!("the carrier broke") })
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let life = Life::begin();
        let broken = Renewals::load(life.roster.clone(), Arc::new(Panics), Tasks::default()).unwrap();
        for _ in 0..2 {
            let told = broken.renew(life.id).await.unwrap_err();
            assert!(matches!(&told, NotRenewed::Failed { why, .. } if why.contains("broke off")), "{told:?}");
        }
        assert!(!broken.look(life.id).unwrap().is_under_way);
        life.renewals.renew(life.id).await.unwrap();
    });
}

#[test]
fn where_no_sign_in_ends_nothing_is_due() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let life = Life::begin();
        let due = life.renewals.next_due(life.renewals.now()).unwrap();
        let end = life.roster.tokens(life.id).unwrap().expires_at.unwrap();
        assert!(
            due < end && end.duration_since(due) <= SignedDuration::from_mins(12),
            "ahead of its end: {due}"
        );
        let endless = Tokens { expires_at: None, ..Tokens::clone(&life.roster.tokens(life.id).unwrap()) };
        life.roster.take_tokens(life.id, &Arc::new(endless));
        assert_eq!(life.renewals.next_due(life.renewals.now()), None, "nobody said when it ends");
        life.roster.remove(life.id).unwrap();
        assert_eq!(life.renewals.next_due(life.renewals.now()), None);
        assert_eq!(life.renewals.renew(life.id).await, Err(NotRenewed::NoSignIn));
    });
}
