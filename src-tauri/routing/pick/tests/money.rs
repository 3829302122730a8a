//! What may cost money is not picked unless a person allowed it: from a plan to what is paid by use.

use super::*;

/// A plan whose hours are spent, and one that is paid by use.
fn spent_plan(id: i64) -> Contender {
    account(id).with(window("5h", 1.0, true, 60))
}

fn by_use(id: i64) -> Contender {
    let mut one = account(id);
    one.account.paid = Some(Paid::Use);
    one
}

fn with_path(mut plan: Contender) -> Contender {
    plan.account.spill = Some(crate::domain::Spill { all: Some(now()), only: [].into() });
    plan
}

fn with_pause(mut one: Contender) -> Contender {
    let by = crate::domain::PausedBy::User;
    one.account.pause = Some(crate::domain::Pause { reason: "".into(), by, at: now() });
    one
}

fn without_images(mut one: Contender) -> Contender {
    one.account.lacks = Lacks { images: true, ..Lacks::default() };
    one
}

#[test]
fn the_path_of_one_plan_paid_for_what_another_might_serve() {
    let choose = |ask: &Ask, all| taken(ask, all, Plan::default(), &[]).map(|(id, ..)| id);
    assert_eq!(choose(&opus(), vec![with_path(spent_plan(1)), by_use(2)]), Some(2));
    assert_eq!(choose(&opus(), vec![spent_plan(1), with_path(spent_plan(2)), by_use(3)]), None);
    let paused = with_pause(with_path(spent_plan(2)));
    assert_eq!(choose(&opus(), vec![spent_plan(1), paused, by_use(3)]), None);
    let images = Ask { needs: Needs { images: true, ..Needs::default() }, ..opus() };
    let blind = without_images(with_path(account(2).with(window("5h", 0.1, false, 60))));
    assert_eq!(
        choose(&images, vec![spent_plan(1), blind, by_use(3)]),
        None,
        "it can't serve it, and opens nothing"
    );
}

#[test]
fn a_plan_that_can_never_serve_it_kept_a_request_from_whom_it_pays() {
    let images = Ask { needs: Needs { images: true, ..Needs::default() }, ..opus() };
    let blind = || without_images(account(1).with(window("5h", 0.1, false, 60)));
    let choose = |ask: &Ask, all| taken(ask, all, Plan::default(), &[]).map(|(id, ..)| id);
    assert_eq!(choose(&images, vec![blind(), by_use(2)]), Some(2));
    assert_eq!(choose(&opus(), vec![blind(), by_use(2)]), Some(1));
    let count = Ask { endpoint: Endpoint::Counts, ..opus() };
    assert_eq!(
        choose(&count, vec![with_pause(spent_plan(1)), by_use(2)]),
        Some(2),
        "nobody pays for a count"
    );
}
