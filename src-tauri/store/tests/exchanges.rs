//! Exchanges come back as they went in, and filters find them.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use proptest::{collection::vec, option, prelude::*};

use super::{Folder, begun, ended, finish, tried};
use crate::{
    domain::{
        AccountId, Ask, Attempt, Ending, Exchange, ExchangeId, ExchangeStart, KeyId, Micros, Role, Usage,
        VerdictKind,
    },
    store::{RequestFilter, Totals},
};

fn ids(exchanges: &[Exchange]) -> Vec<i64> {
    exchanges.iter().map(|exchange| exchange.start.id.0).collect()
}

fn word() -> impl Strategy<Value = Arc<str>> {
    ".{0,20}".prop_map(Arc::from)
}

fn span() -> impl Strategy<Value = Duration> {
    (0..u64::MAX / 4096).prop_map(Duration::from_micros)
}

fn attempt() -> impl Strategy<Value = Attempt> {
    (
        any::<i64>(),
        option::of(any::<u16>()),
        proptest::sample::select(&VerdictKind::ALL[..]),
        option::of(word()),
        span(),
        span(),
    )
        .prop_map(|(account, status, verdict, error, began, took)| Attempt {
            account: AccountId(account),
            status,
            verdict,
            error,
            began,
            took,
        })
}

fn start() -> impl Strategy<Value = ExchangeStart> {
    let ask = (
        option::of(word()),
        option::of(word()),
        option::of(word()),
        option::of(word()),
        any::<bool>(),
        any::<u32>(),
        option::of(proptest::sample::select(&Role::ALL[..])),
        option::of(word()),
        option::of(word()),
    )
        .prop_map(|(model, session, agent, client, stream, bytes, role, agent_type, project)| Ask {
            model,
            session,
            agent,
            client,
            stream,
            bytes: bytes.into(),
            role,
            agent_type,
            project,
            ..Ask::default()
        });
    let key = option::of(any::<i64>().prop_map(KeyId));
    (0..1i64 << 44, word(), word(), ask, key).prop_map(|(ms, method, path, ask, key)| ExchangeStart {
        id: ExchangeId(0),
        started_at: Timestamp::from_millisecond(ms).unwrap(),
        method,
        path,
        ask,
        key,
    })
}

fn usage() -> impl Strategy<Value = Usage> {
    let tokens = || option::of(0..=u64::MAX / 2);
    (tokens(), tokens(), tokens(), tokens(), tokens()).prop_map(
        |(input, output, cache_read, cache_write, cache_write_1h)| Usage {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_1h,
            is_off_list: false,
        },
    )
}

prop_compose! {
    fn exchange()(
        start in start(),
        ending in option::of(proptest::sample::select(&Ending::ALL[..])),
        error in option::of(word()),
        status in option::of(any::<u16>()),
        account in option::of(any::<i64>().prop_map(AccountId)),
        served_model in option::of(word()),
        usage in usage(),
        cost in option::of((0..=u64::MAX / 2).prop_map(Micros)),
        first_byte in option::of(span()),
        duration in option::of(span()),
        changes in vec(word(), 0..3),
        attempts in vec(attempt(), 0..5),
    ) -> Exchange {
        Exchange {
            start: start.into(), ending, error, status, account, served_model, usage, cost, first_byte, duration, changes, decision: None, attempts,
            at_most: None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_exchange_comes_back_as_it_went_in(mut all in vec(exchange(), 1..20), early in any::<bool>()) {
        let folder = Folder::new();
        let store = folder.open();
        for (id, exchange) in (1..).zip(&mut all) {
            Arc::make_mut(&mut exchange.start).id = ExchangeId(id);
            store.begin(exchange.start.clone());
            if early {
                store.flush().unwrap();
            }
            finish(&store, exchange.clone());
        }
        store.flush().unwrap();
        all.reverse();

        let page = store.requests(&RequestFilter { limit: 100, ..RequestFilter::default() }).unwrap();

        prop_assert_eq!(&page, &all);
        for exchange in all {
            prop_assert_eq!(store.request(exchange.start.id).unwrap(), Some(exchange));
        }
    }
}

#[test]
fn an_attempt_has_a_row_of_its_own_only_where_there_is_more_to_say() {
    let folder = Folder::new();
    let store = folder.open();
    finish(&store, ended(1, Ending::Complete, 1));
    let mut refused = ended(2, Ending::UpstreamError, 1);
    refused.attempts[0].verdict = VerdictKind::Weather;
    finish(&store, refused.clone());
    store.flush().unwrap();

    let rows = |id: i64| -> i64 {
        let count = "SELECT count(*) FROM attempts WHERE exchange_id = ?1";
        store.read(|conn| Ok(conn.query_row(count, [id], |row| row.get(0))?)).unwrap()
    };
    assert_eq!((rows(1), rows(2)), (0, 1));
    let page = store.requests(&RequestFilter { limit: 9, ..RequestFilter::default() }).unwrap();
    assert_eq!(page, [refused, ended(1, Ending::Complete, 1)]);
}

#[test]
fn numbers_beyond_what_sqlite_holds_are_kept_as_large_as_it_goes() {
    let folder = Folder::new();
    let store = folder.open();
    let mut exchange = ended(1, Ending::Complete, 1);
    exchange.usage.input = Some(u64::MAX);
    exchange.duration = Some(Duration::MAX);
    finish(&store, exchange.clone());
    Arc::make_mut(&mut exchange.start).id = ExchangeId(2);
    finish(&store, exchange);
    store.flush().unwrap();

    let most = i64::MAX.cast_unsigned();
    let kept = store.request(ExchangeId(1)).unwrap().unwrap();
    assert_eq!(kept.usage.input, Some(most));
    assert_eq!(store.totals_since(ExchangeId(0)).unwrap().usage.input, Some(most), "a sum does not overflow");
}

#[test]
fn filters_find_what_they_name_newest_first_page_by_page() {
    let folder = Folder::new();
    let store = folder.open();
    finish(&store, ended(1, Ending::Complete, 1));
    finish(&store, ended(2, Ending::UpstreamCut, 1));
    finish(&store, ended(3, Ending::Complete, 2));
    finish(&store, ended(4, Ending::UpstreamCut, 2));
    finish(&store, ended(5, Ending::Complete, 1));
    store.begin(begun(6));
    store.begin(begun(7));
    store.flush().unwrap();
    let found = |filter: RequestFilter| ids(&store.requests(&filter).unwrap());
    let all = RequestFilter { limit: 100, ..RequestFilter::default() };
    let first = AccountId(1);

    assert_eq!(found(all), [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(found(RequestFilter { limit: 2, ..all }), [7, 6]);
    assert_eq!(found(RequestFilter { limit: 2, before: Some(ExchangeId(6)), ..all }), [5, 4]);
    assert_eq!(found(RequestFilter { running: true, ..all }), [7, 6]);
    assert_eq!(found(RequestFilter { account: Some(first), ..all }), [5, 2, 1]);
    assert_eq!(found(RequestFilter { ending: Some(Ending::Complete), ..all }), [5, 3, 1]);
    assert_eq!(found(RequestFilter { ending: Some(Ending::UpstreamCut), ..all }), [4, 2]);
    assert_eq!(found(RequestFilter { ending: Some(Ending::UpstreamCut), account: Some(first), ..all }), [2]);
    assert_eq!(found(RequestFilter { ending: Some(Ending::Complete), account: Some(first), ..all }), [5, 1]);
    assert_eq!(found(RequestFilter { limit: 0, ..all }), [] as [i64; 0]);
}

#[test]
fn one_question_brings_so_many_requests_and_no_more() {
    let folder = Folder::new();
    let store = folder.open();
    for id in 1..=1200 {
        finish(&store, ended(id, Ending::Complete, 1));
    }
    store.flush().unwrap();

    let page = store.requests(&RequestFilter { limit: u32::MAX, ..RequestFilter::default() }).unwrap();

    assert_eq!(page.len(), 1000);
    assert!(page.iter().all(|exchange| exchange.attempts.len() == 1), "each with its attempts");
}

#[test]
fn totals_tell_the_rescued_and_do_not_take_unknown_for_zero() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.totals_since(ExchangeId(0)).unwrap(), Totals::default());
    finish(&store, ended(1, Ending::Complete, 1));
    finish(&store, ended(2, Ending::Complete, 1));
    let mut rescued = ended(3, Ending::Complete, 2);
    rescued.attempts = vec![tried(1), tried(2)];
    rescued.usage = Usage::default();
    rescued.account = Some(tried(2).account);
    finish(&store, rescued);
    let mut once_more = ended(6, Ending::Complete, 2);
    once_more.attempts = vec![tried(1), tried(1)];
    once_more.account = Some(tried(1).account);
    once_more.usage = Usage::default();
    finish(&store, once_more);
    finish(&store, ended(4, Ending::ClientLeft, 1));
    store.begin(begun(5));
    store.flush().unwrap();

    let totals = store.totals_since(ExchangeId(2)).unwrap();

    let usage = Usage { input: Some(20), output: Some(10), ..Usage::default() };
    assert_eq!(
        totals,
        Totals { requests: 5, complete: 3, rescued: 1, usage },
        "the same account once more is no rescue"
    );
}

#[test]
fn the_last_id_is_the_newest_that_was_ever_written() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.last_exchange_id().unwrap(), None);
    store.begin(begun(41));
    finish(&store, ended(40, Ending::Complete, 1));
    store.close().unwrap();

    assert_eq!(folder.open().last_exchange_id().unwrap(), Some(ExchangeId(41)));
}
