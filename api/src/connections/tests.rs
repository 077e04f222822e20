//! Which connections find a place, and which are cut.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    order::Class,
    table::{Admitted, Table},
    terms::{READ_PATIENCE, Terms},
};
use crate::peer::Peer;

fn table(connections: usize) -> Arc<Table> {
    Arc::new(Table::new(Terms::for_connections(connections)))
}

fn peer(last: u8) -> Peer {
    Peer([10, 0, 0, last].into())
}

/// Connections that had an answer and ask nothing.
fn idle(table: &Arc<Table>, peer: Peer, count: usize) -> Vec<Admitted> {
    let proven = || {
        let admitted = table.admit(peer).unwrap();
        let connection = &admitted.connection;
        connection.asked(0, false);
        connection.answered(0);
        connection.made_all();
        connection.flushed();
        admitted
    };
    (0..count).map(|_| proven()).collect()
}

fn cut(connections: &[Admitted]) -> Vec<usize> {
    let connections = connections.iter().enumerate();
    connections.filter(|(_, one)| one.connection.is_cut()).map(|(at, _)| at).collect()
}

#[tokio::test(start_paused = true)]
async fn the_longest_idle_of_the_largest_sender_makes_room() {
    let table = table(8);
    let mut crowd = Vec::new();
    for _ in 0..6 {
        crowd.extend(idle(&table, peer(1), 1));
        sleep(Duration::from_secs(1)).await;
    }
    let others = idle(&table, peer(2), 2);
    let newcomer = table.admit(peer(3)).unwrap();
    // One more than needed, so that not each newcomer has to make room.
    assert_eq!((cut(&crowd), cut(&others)), (vec![0, 1], vec![]));
    assert!(!newcomer.connection.is_cut());
}

#[tokio::test(start_paused = true)]
async fn one_sender_has_no_more_than_its_share() {
    let table = table(8);
    let crowd = idle(&table, peer(1), 8);
    assert_eq!(cut(&crowd).len(), 2);
    assert_eq!(table.used(), table.terms.share());
}

#[tokio::test(start_paused = true)]
async fn who_never_asked_goes_before_who_did_and_who_has_just_come_stays() {
    let table = table(100);
    let silent = table.admit(peer(1)).unwrap();
    sleep(Duration::from_secs(2)).await;
    let mut crowd = idle(&table, peer(1), 74);
    sleep(Duration::from_secs(2)).await;
    let newcomer = table.admit(peer(1)).unwrap();
    assert!(silent.connection.is_cut() && !newcomer.connection.is_cut());
    crowd.clear();
}

#[tokio::test(start_paused = true)]
async fn what_is_being_answered_is_never_cut() {
    let table = table(4);
    let answering: Vec<Admitted> = (0..3).map(|_| table.admit(peer(1)).unwrap()).collect();
    for one in &answering {
        one.connection.asked(0, false);
    }
    assert!(table.admit(peer(1)).is_none());
    assert!(cut(&answering).is_empty());
    assert!(table.admit(peer(2)).is_some());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_reads_does_not_protect_the_requests_behind_it() {
    let table = table(100);
    let admitted = table.admit(peer(1)).unwrap();
    let connection = &admitted.connection;
    connection.asked(0, false);
    connection.answered(0);
    connection.made(1 << 20);
    connection.stalled();
    connection.made_all();
    connection.asked(0, false);
    let (worth, _) = connection.standing(Instant::now()).unwrap();
    assert!(worth.0 < Class::Answering);
    sleep(READ_PATIENCE).await;
    assert!(connection.is_overdue(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn half_heads_and_bodies_count_for_what_has_come() {
    let table = table(100);
    let connection = |bytes| {
        let admitted = table.admit(peer(1)).unwrap();
        admitted.connection.read(bytes);
        admitted
    };
    let before = table.used();
    let head = connection(10_000);
    assert_eq!(table.used() - before, table.terms.idle_bytes + 10_000);
    head.connection.asked(10_000, true);
    head.connection.read(500);
    head.connection.received(500);
    assert_eq!(table.used() - before, table.terms.idle_bytes + 500);
    drop(head);
    assert_eq!(table.used(), before);
}

#[tokio::test(start_paused = true)]
async fn a_head_has_five_seconds_from_its_first_byte() {
    let table = table(100);
    let [idle, head, behind] = [(); 3].map(|()| table.admit(peer(1)).unwrap());
    sleep(Duration::from_secs(10)).await;
    head.connection.read(1);
    // Half a head that came with the request before it.
    behind.connection.read(10_000);
    behind.connection.asked(100, false);
    behind.connection.answered(0);
    behind.connection.made_all();
    behind.connection.flushed();
    sleep(Duration::from_secs(4)).await;
    table.cut_overdue(Instant::now());
    assert!(!head.connection.is_cut() && !behind.connection.is_cut());
    sleep(Duration::from_secs(1)).await;
    table.cut_overdue(Instant::now());
    assert!(head.connection.is_cut() && behind.connection.is_cut());
    assert!(!idle.connection.is_cut());
}

#[tokio::test(start_paused = true)]
async fn who_reads_too_slowly_is_cut_and_who_waits_for_the_server_is_not() {
    let table = table(1000);
    let [slow, steady, waiting] = [(); 3].map(|()| {
        let admitted = table.admit(peer(1)).unwrap();
        admitted.connection.asked(0, false);
        admitted.connection.answered(0);
        admitted
    });
    slow.connection.made(1 << 20);
    steady.connection.made(1 << 20);
    for _ in 0..20 {
        sleep(Duration::from_secs(5)).await;
        slow.connection.wrote(1 << 10);
        for one in [&slow, &steady] {
            one.connection.stalled();
        }
        steady.connection.wrote(16 << 10);
        table.cut_overdue(Instant::now());
    }
    assert!(slow.connection.is_cut());
    assert!(!steady.connection.is_cut() && !waiting.connection.is_cut());
}
