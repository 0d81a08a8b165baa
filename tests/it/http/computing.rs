//! The threads that compute: how they are shared, and how what runs on them ends.

use std::{sync::mpsc, time::Duration};

use appointd::http::{
    computing::{Computing, MOST_WEIGHT},
    problem::{Failure, Problem},
};
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(60);

fn computing(threads: usize, limit: Duration) -> &'static Computing {
    Box::leak(Box::new(Computing::new(threads, limit, LONG)))
}

/// A computation that goes on until its channel is closed, and says when it began.
async fn begin(
    computing: &'static Computing,
    organization: Uuid,
) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<(), Failure>>) {
    let (go_on, wait) = mpsc::channel::<()>();
    let (began, beginning) = tokio::sync::oneshot::channel();
    let place = computing.place(organization, 1).await.expect("a place");
    let running = tokio::spawn(place.compute(move |_| {
        let _ = began.send(());
        let _ = wait.recv();
        Ok(())
    }));
    beginning.await.expect("it begins");
    (go_on, running)
}

fn code(result: Result<(), Failure>) -> &'static str {
    result.map_err(Problem::from).expect_err("a refusal").code
}

#[tokio::test]
async fn one_organization_computes_on_half_of_the_threads() {
    let computing = computing(4, LONG);
    let (hog, other) = (Uuid::now_v7(), Uuid::now_v7());
    let first = begin(computing, hog).await;
    let second = begin(computing, hog).await;
    // A third of the same organization waits, though two threads are free.
    let place = computing.place(hog, 1).await.expect("a place");
    let third = tokio::spawn(place.compute(|_| Ok(())));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!third.is_finished());
    assert_eq!(computing.idle(), 2);
    // The other organization does not.
    let place = computing.place(other, 1).await.expect("a place");
    assert_eq!(place.compute(|_| Ok(7)).await.expect("a result"), 7);
    drop(first.0);
    third.await.expect("no panic").expect("it computes once there is room");
    drop(second.0);
    for running in [first.1, second.1] {
        running.await.expect("no panic").expect("an end");
    }
    assert_eq!(computing.idle(), 4, "all are given back");
}

#[tokio::test]
async fn computing_beyond_its_deadline_is_refused_and_frees_its_thread() {
    let computing = computing(2, Duration::from_millis(20));
    let place = computing.place(Uuid::now_v7(), 1).await.expect("a place");
    let endless = place.compute(|deadline| {
        loop {
            deadline.check()?;
        }
    });
    assert_eq!(code(endless.await), "computation_timeout");
    assert_eq!(computing.idle(), 2);
}

#[tokio::test]
async fn computing_for_a_request_that_is_dropped_ends() {
    let computing = computing(2, LONG);
    let place = computing.place(Uuid::now_v7(), 1).await.expect("a place");
    let (ended, ending) = tokio::sync::oneshot::channel();
    let endless = place.compute(move |deadline| {
        while deadline.check().is_ok() {}
        let _ = ended.send(());
        Ok(())
    });
    assert!(tokio::time::timeout(Duration::from_millis(20), endless).await.is_err());
    tokio::time::timeout(LONG, ending).await.expect("it ends long before its deadline").expect("an end");
}

#[tokio::test]
async fn place_beyond_the_weight_of_an_organization_is_refused() {
    let computing: &'static Computing =
        Box::leak(Box::new(Computing::new(2, LONG, Duration::from_millis(20))));
    let (hog, other) = (Uuid::now_v7(), Uuid::now_v7());
    let heavy = computing.place(hog, MOST_WEIGHT * 9).await.expect("as much as there is");
    assert_eq!(code(computing.place(hog, 1).await.map(drop)), "organization_busy");
    computing.place(other, MOST_WEIGHT).await.expect("others have their own");
    drop(heavy);
    computing.place(hog, 1).await.expect("a place once it is given back");
}

#[tokio::test]
async fn computing_that_panics_answers_a_problem_and_frees_its_thread() {
    let computing = computing(2, LONG);
    let place = computing.place(Uuid::now_v7(), 1).await.expect("a place");
    let broken = place.compute(|_| -> Result<(), Failure> { panic!("as it must not") });
    assert_eq!(code(broken.await), "internal");
    assert_eq!(computing.idle(), 2);
}
